"""The notebook runs from top to bottom on a store with audio, and is committed without what a run leaves."""

import base64
import json
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import audioae
from tests.evaluation.versions import commit_map
from tests.serve.explore.sounding import sounding_store

NOTEBOOK = Path(__file__).parents[2] / "examples" / "inspect.ipynb"
SCATTER = "application/vnd.jupyter.widget-view+json"


def run(store: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The outputs of the code cells: by each, its MIME types and their data."""
    monkeypatch.setenv("AUDIOAE_STORE", store)
    monkeypatch.setenv("IPYTHONDIR", str(folder))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    cells = [cell["outputs"] for cell in notebook.cells if cell["cell_type"] == "code"]
    return [{kind: data for output in outputs for kind, data in output.get("data", {}).items()} for outputs in cells]


@pytest.mark.parametrize("mapped", [True, False])
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool):
    store, _ = sounding_store(tmp_path)
    library = audioae.open(store.root)
    n = len(library)
    if mapped:
        commit_map(store, np.random.default_rng(0).random((n, 2)), [0] * n, {0: "all"})
    opened, vectors, scatter, neighbors, sound = run(store.root, tmp_path, monkeypatch)
    assert f"{n} recordings in {library.index_ref}" in opened["text/plain"]
    assert vectors["text/plain"] == f"({n}, 128)"
    assert SCATTER in scatter
    for neighbor in library.similar("t00", k=5).neighbors:
        assert neighbor.title
        assert neighbor.title in neighbors["text/html"]
    encoded = sound["text/html"].partition("base64,")[2].partition('"')[0]
    assert base64.b64decode(encoded)[:4] == b"fLaC"


def test_the_notebook_is_committed_without_outputs():
    content = NOTEBOOK.read_text()
    for cell in json.loads(content)["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    assert '"/' not in content
    assert "/home/" not in content
