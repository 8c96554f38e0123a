"""`embedding.extra`: one network is in every embedding of a store, in the stage embed and for files from outside."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioae.api import Library
from audioae.config import parse_config
from audioae.errors import ConfigError
from audioae.model.extra_config import ExtraConfig
from audioae.pipeline import train
from audioae.pipeline.extra import trained_model
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from tests.chain import run_chain
from tests.model.made_networks import Bands, onnx_bands, torchscript
from tests.pipeline.daily import write_track

Run = Callable[..., Library]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extra")
    for i in range(6):
        write_track(folder / "music" / f"{i}.mp3", i)
    (folder / "bands.onnx").write_bytes(onnx_bands())
    (folder / "bands.pt").write_bytes(torchscript(Bands(8)))
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """The whole chain with this `embedding.extra`, over one store."""

    def run(extra: dict[str, Any] | None) -> Library:
        sections = {
            "catalog": {"source": str(folder / "music")},
            "model": {"kind": "pca"},
            "embedding": {"extra": extra},
        }
        config = parse_config(PipelineConfig, {"store": str(folder / "store"), **sections}, where="test")
        run_chain(config)
        return Library(Store(config.store))

    return run


def rows(library: Library) -> dict[str, np.ndarray]:
    table = library.store.read(library.embeddings_ref).to_pydict()
    return dict(zip(table["track_id"], np.array(table["embedding"], np.float32), strict=True))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_network_joins_every_embedding_of_a_store(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch):
    plain = run(None)
    before = rows(plain)
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("another network trains no new model"))

    onnx = {"kind": "onnx", "path": str(folder / "bands.onnx")}
    fused = run(onnx)
    manifest = fused.store.manifest(fused.model_ref)
    assert trained_model(fused.store, fused.model_ref) == plain.model_ref
    assert set(manifest.config["extra"]) == {"kind", "input", "weight", "sha256"}
    after = rows(fused)
    assert {len(vector) for vector in after.values()} == {128}
    for vector in after.values():
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert all(abs(after[name] @ before[name]) < 0.99 for name in before)

    # a file from outside is embedded with it, and finds itself
    copy = shutil.copy(folder / "music" / "3.mp3", folder / "outside.mp3")
    (own,) = (track["track_id"] for track in fused.tracks.to_pylist() if track["title"] == "3")
    np.testing.assert_allclose(fused.embed(copy).embedding, after[own], atol=1e-5)

    # nothing is computed again, and the user's file may move
    moved = shutil.move(folder / "bands.onnx", folder / "moved.onnx")
    assert run({**onnx, "path": str(moved)}).model_ref == fused.model_ref
    assert rows(Library(fused.store)).keys() == after.keys()

    other = run({"kind": "torchscript", "path": str(folder / "bands.pt"), "weight": 2})
    assert trained_model(other.store, other.model_ref) == plain.model_ref
    assert other.model_ref != fused.model_ref
    assert run(None).model_ref == plain.model_ref


def test_wrong_settings_fail_when_the_config_is_read(folder: Path):
    for settings, problem in (
        ({"path": str(folder / "none.onnx")}, "path: got .*none.onnx'; Path does not point to a file"),
        ({"path": str(folder / "bands.pt"), "input": "waveform"}, "input waveform needs sample_rate"),
        ({"path": str(folder / "bands.pt"), "weight": 0}, "weight: got 0; Input should be greater than 0"),
    ):
        with pytest.raises(ConfigError, match=problem):
            parse_config(ExtraConfig, {"kind": "torchscript", **settings}, where="test")
