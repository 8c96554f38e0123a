"""Importing the pages, the summary of a run and the explanation of a track loads nothing heavy."""

import subprocess
import sys

HEAVY = ("av", "faiss", "jinja2", "librosa", "matplotlib", "numba", "scipy", "sklearn", "soundfile", "torch")
CODE = f"""
import sys
import audioae.pages.evaluation_page, audioae.pages.report_page, audioae.report.explain, audioae.report.run_summary
print(*(name for name in {HEAVY} if name in sys.modules))
"""


def test_pages_load_heavy_packages_only_when_they_draw():
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
