"""Files that a stranger made: what can run is not loaded unless it is named, and what is data runs nothing."""

import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest

import audioae
from audioae.errors import DamageError, ModelError, SearchError
from audioae.model.checkpoints import unpack
from audioae.model.weights import model_from_bytes
from audioae.pipeline.index import load_index
from audioae.search import engine
from audioae.store.dataset import Store
from tests.stores import made_store

PACKAGE = Path(audioae.__file__).parent


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_weights_and_checkpoints_run_nothing(tmp_path: Path):
    payload = pickle.dumps(Payload(tmp_path / "ran"), protocol=2)
    with pytest.raises(ModelError):
        model_from_bytes(payload)
    with pytest.raises(ModelError, match="cannot be read"):
        unpack(payload, {})
    assert not (tmp_path / "ran").exists()
    pickle.loads(payload)
    assert (tmp_path / "ran").exists(), "the payload works where it is let"


def hostile(content: bytes, kind: str) -> bytes:
    """An index file of the same size, with other content, or with a header that claims 2^64 numbers."""
    if kind == "noise":
        return np.random.default_rng(0).bytes(len(content))
    return content[:37] + b"\xff" * 8 + content[45:]


@pytest.mark.parametrize("kind", ["noise", "length"])
def test_a_hostile_index_never_reaches_faiss_in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str):
    store = made_store(tmp_path)
    ref = store.require("index")
    path = next(path for path in (tmp_path / "index").rglob("index.faiss"))
    path.write_bytes(hostile(path.read_bytes(), kind))
    with pytest.raises(SearchError, match="not a readable FAISS index"):
        audioae.open(str(tmp_path)).similar("t00", 3)
    monkeypatch.setattr(engine, "read", lambda path: pytest.fail("FAISS read a file that is not what was published"))
    with pytest.raises(DamageError, match=rf"{path}: content differs from the manifest of {ref}"):
        load_index(Store(str(tmp_path)), ref)


@pytest.mark.parametrize(
    ("call", "places"),
    [
        ("torch.jit.load", ["model/torchscript_decoder.py"]),
        ("read_index(", ["search/engine.py"]),
    ],
)
def test_what_can_run_is_loaded_in_one_place(call: str, places: list[str]):
    found = subprocess.run(["grep", "-rlF", "--include=*.py", call, "."], cwd=PACKAGE, capture_output=True, text=True)
    assert sorted(line.removeprefix("./") for line in found.stdout.split()) == places
