"""The project's own rules: lint, format, types, insecure code, import contracts, and a light `import audioae`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


# B608 are statements of the scan's own database: they are made of names in the code, values go in as parameters, and
# no statement opens a file there (`audioae/catalog/database.py`).
INSECURE = ["bandit", "--quiet", "-ll", "--skip", "B608", "--recursive", "audioae", "flows"]


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["pyright"], ["lint-imports"], INSECURE],
    ids=["ruff-check", "ruff-format", "pyright", "import-contracts", "bandit"],
)
@pytest.mark.timeout(1300)  # pyright needs minutes, and shares the machine with another test
def test_clean(command: list[str]):
    run = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]


def test_import_is_light():
    """`import audioae` and `audioae --help` load none of the heavy packages, nor those that only a result needs."""
    heavy = ["torch", "torchaudio", "faiss", "librosa", "prefect", "numba", "soundfile", "pyarrow", "fastapi"]
    heavy += ["numpy", "pydantic", "rich"]
    code = f"import sys, audioae, audioae.cli; print([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr


def test_prefect_is_imported_in_flows_only():
    """Whatever the contracts in pyproject.toml list: every module of the package, new ones included."""
    flows = ROOT / "audioae" / "flows"
    importing = {
        path
        for path in (ROOT / "audioae").rglob("*.py")
        if re.search(r"^\s*(import|from) prefect", path.read_text(), re.MULTILINE)
    }
    assert importing
    assert all(path.is_relative_to(flows) for path in importing), importing


def test_arrow_reads_paths_and_buffers_only():
    """A thread of Arrow may free a Python file while the interpreter ends: one query in 14 ended with an abort."""
    calls = [
        (path.name, call)
        for path in (ROOT / "audioae").rglob("*.py")
        for call in re.findall(r"\bread_(?:table|csv)\((\w[\w.]*)", path.read_text())
    ]
    assert ("index_neighbors.py", "pa.BufferReader") in calls
    assert [call for call in calls if call[1].startswith("io.") or call[1] in ("file", "stream", "opened")] == []


def test_git_tracks_no_file_that_it_ignores():
    """A compiled cache in the repository would be loaded by every machine with the same CPU."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-ci", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert listing.stdout == ""


def test_bench_results_are_small():
    """They hold the figures that the documentation cites, no dump per track (`tests/bench/documents.py`)."""
    sizes = {path.name: path.stat().st_size for path in (ROOT / "tests" / "bench" / "results").iterdir()}
    assert {name: size for name, size in sizes.items() if size > 16_384} == {}
