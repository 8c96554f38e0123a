"""A network of waveforms in the whole chain: one decode, files from outside agree, and what fails is named."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioae.api import Library
from audioae.audio import workers
from audioae.audio.config import WindowConfig
from audioae.audio.extract import extract
from audioae.config import parse_config
from audioae.errors import ModelError, StoreError
from audioae.evaluation.run import evaluate_store
from audioae.flows.sharded import sharded_stage
from audioae.pipeline import embed, embed_outside, train
from audioae.pipeline.config import MelsConfig, OutsideLimits, Retry
from audioae.pipeline.extra import trained_model
from audioae.pipeline.network import publish_network
from audioae.pipeline.reuse import History
from audioae.pipeline.shard_plan import MELS_PART, plan_shard
from audioae.pipeline.shards import iter_shards
from audioae.pipeline.tracks import update_tracks
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from tests.audio.made import music, write
from tests.chain import run_chain
from tests.model.made_networks import Loud, band_energies, onnx_energies, torchscript

EXTRA = {"input": "waveform", "sample_rate": 16_000, "seconds": 1.5}


class Chain:
    """A folder of music, a store, and how often files were decoded, with or without the network."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.music, self.store, self.files = folder / "music", folder / "store", folder
        self.music.mkdir()
        for i in range(5):
            write(self.music / f"{i}.flac", music(2.0 + 1.5 * i, 22_050, seed=i), 22_050)
        (folder / "net.onnx").write_bytes(onnx_energies())
        self.decoded: list[tuple[str, bool]] = []
        self.die_after: int | None = None
        self._monkeypatch = monkeypatch

    def count(self) -> None:
        """Decode in this process, to count."""

        def decode(function: Callable, items: Any, **options: Any) -> Any:
            for key, arguments in items:
                if len(self.decoded) == self.die_after:
                    raise KeyboardInterrupt
                self.decoded.append((Path(arguments[0]).name, arguments[-1] is not None and len(arguments) > 3))
                yield key, function(*arguments)

        self._monkeypatch.setattr(workers, "imap_killable", decode)

    def run(self, extra: dict[str, Any] | None, **sections: Any) -> Library:
        self.decoded.clear()
        config = self.config(extra, **sections)
        run_chain(config)
        return Library(Store(config.store))

    def config(self, extra: dict[str, Any] | None, **sections: Any) -> PipelineConfig:
        content = {
            "store": str(self.store),
            "catalog": {"source": str(self.music), "min_shards": 2},
            "model": {"kind": "pca"},
            "embedding": {"extra": {**EXTRA, **extra} if extra else None},
            "run": {"workers": 1},
            **sections,
        }
        return parse_config(PipelineConfig, content, where="test")

    @property
    def onnx(self) -> dict[str, Any]:
        return {"kind": "onnx", "path": str(self.files / "net.onnx")}


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    return Chain(tmp_path, monkeypatch)


def rows(library: Library) -> dict[str, np.ndarray]:
    """The embedding of each file, by its name."""
    table = library.store.read(library.embeddings_ref).to_pydict()
    names = {track["track_id"]: Path(track["uri"]).name for track in library.tracks.to_pylist()}
    return {names[i]: np.array(e, np.float32) for i, e in zip(table["track_id"], table["embedding"], strict=True)}


def outside(library: Library, path: str | Path) -> np.ndarray:
    """The embedding of a file, by what a worker process does for `library.embed`."""
    arguments = str(path), library.store.root, library.model_ref, library.mels_config, OutsideLimits()
    embed_outside.load(*arguments)
    return embed_outside.embed_file(*arguments).embedding


def vectors(library: Library) -> dict[str, np.ndarray | None]:
    table = library.store.read(library.store.require("network_vectors")).to_pydict()
    names = {track["track_id"]: Path(track["uri"]).name for track in library.tracks.to_pylist()}
    return {names[i]: v and np.array(v, np.float32) for i, v in zip(table["track_id"], table["vector"], strict=True)}


def test_one_decode_gives_clips_and_vectors_and_a_file_from_outside_the_same(chain: Chain):
    library = chain.run(chain.onnx)
    found, stored = rows(library), vectors(library)
    config, window = MelsConfig(), WindowConfig(sample_rate=16_000, seconds=1.5)
    for name, vector in stored.items():
        windows = extract(chain.music / name, config.clips, config.decode, window=window).windows
        assert isinstance(windows, np.ndarray)
        assert vector is not None
        np.testing.assert_allclose(vector, band_energies(windows).mean(axis=(0, 1)), atol=1e-3)
    assert len(stored) == 5
    copy = shutil.copy(chain.music / "4.flac", chain.files / "outside.flac")
    assert float(outside(library, copy) @ found["4.flac"]) > 0.9999
    omitted = evaluate_store(library, robustness_tracks=2).document["omitted"]
    assert "robustness: clips alone are not embedded as with their network of waveforms" in omitted


def test_what_exists_is_not_computed_again(chain: Chain, monkeypatch: pytest.MonkeyPatch):
    chain.count()
    plain = chain.run(None)
    before = rows(plain)
    parts = {name: plain.store.part_fingerprints(name) for name in ("mels", "health", "rejects", "embeddings")}
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("another network trains no new model"))

    chain.die_after = 4
    with pytest.raises(KeyboardInterrupt):
        chain.run(chain.onnx)
    done, chain.die_after = chain.decoded[:3], None
    first = chain.run(chain.onnx)
    assert sorted(done + chain.decoded) == [(f"{i}.flac", True) for i in range(5)], "a shard that is done is kept"
    for name in ("mels", "health", "rejects"):
        assert first.store.part_fingerprints(name) == parts[name]
    assert parts["embeddings"] < first.store.part_fingerprints("embeddings")
    assert trained_model(first.store, first.model_ref) == plain.model_ref
    assert "network" not in plain.store.manifest(plain.model_ref).parents
    assert all(abs(float(vector @ before[name])) < 0.99 for name, vector in rows(first).items())

    again = chain.run({**chain.onnx, "path": shutil.move(chain.files / "net.onnx", chain.files / "moved.onnx")})
    assert (chain.decoded, again.embeddings_ref, again.model_ref) == ([], first.embeddings_ref, first.model_ref)
    onnx = {**chain.onnx, "path": str(chain.files / "moved.onnx")}

    write(chain.music / "new.flac", music(4.0, 22_050, seed=9), 22_050)
    grown = chain.run(onnx)
    assert chain.decoded == [("new.flac", True)]
    before, after = rows(again), rows(grown)
    assert after.keys() - before.keys() == {"new.flac"}
    assert all(np.array_equal(after[name], before[name]) for name in before)

    other = chain.run({**onnx, "seconds": 3})
    assert len(chain.decoded) == 6
    assert other.model_ref != grown.model_ref


def test_mels_do_not_replace_a_decode_that_gives_vectors(chain: Chain):
    store = chain.run(None).store
    network = publish_network(store, chain.config(chain.onnx).embedding.extra)
    tracks = store.require("tracks")
    for shard, table in iter_shards(store, tracks, [0, 1]):
        history = History(store, tracks, MelsConfig())
        plan = plan_shard(history, shard, table, Retry(), [MELS_PART], network)
        assert (plan.copies, plan.todo["track_id"]) == ([], table["track_id"])
        assert plan_shard(history, shard, table, Retry(), [MELS_PART]).todo.num_rows == 0


def test_tracks_without_stored_mels_get_their_vectors_when_they_are_embedded(chain: Chain):
    chain.count()
    mels = {"mels": {"max_stored_tracks": 1}}
    library = chain.run(chain.onnx, **mels)
    assert sorted(chain.decoded) == [(f"{i}.flac", True) for i in range(5)]
    assert len(vectors(library)) == len(rows(library)) == 5
    before = vectors(library)
    heavier = chain.run({**chain.onnx, "weight": 3}, **mels)
    assert heavier.embeddings_ref != library.embeddings_ref
    assert {with_network for _, with_network in chain.decoded} == {False}, "vectors are kept where mels are not"
    for name, vector in vectors(heavier).items():
        np.testing.assert_array_equal(vector, before[name])


def test_a_file_that_the_network_fails_on_keeps_its_own_embedding_and_is_named(chain: Chain, caplog):
    (chain.files / "loud.pt").write_bytes(torchscript(Loud()))
    quiet = chain.music / "quiet.flac"
    write(quiet, 0.01 * music(5.0, 22_050, seed=7), 22_050)
    loud = {"kind": "torchscript", "path": str(chain.files / "loud.pt")}
    with caplog.at_level(logging.WARNING, embed.__name__):
        library = chain.run(loud)
    (track_id,) = (t["track_id"] for t in library.tracks.to_pylist() if Path(t["uri"]).name == "quiet.flac")
    message = f"the network of embedding.extra failed on 1 of 6 tracks ({track_id}): extra network@"
    assert message in caplog.text
    assert "16 of 16 numbers are NaN or infinite. Their embeddings consist of the model's own part" in caplog.text
    assert vectors(library)["quiet.flac"] is None
    assert float(outside(library, quiet) @ rows(library)["quiet.flac"]) > 0.9999
    with pytest.raises(StoreError, match=r"failed on 1 of 6 tracks .* Nothing was published"):
        chain.run(loud, store=str(chain.files / "a strict store"), max_reject_rate=0.1)
    for path in chain.music.glob("?.flac"):
        path.unlink()
    with pytest.raises(StoreError, match=r"failed on 1 of 1 tracks .* Nothing was published"):
        chain.run(loud, store=str(chain.files / "a store of nothing"), max_reject_rate=1.0)


def test_a_network_that_does_not_fit_fails_before_the_first_file(chain: Chain):
    chain.count()
    (chain.files / "net.onnx").write_bytes(onnx_energies(samples=48_000))
    with pytest.raises(ModelError, match=r"extra net.onnx: it takes \('any', 48000\), but 1.5 s at 16,000 Hz are"):
        chain.run(chain.onnx)
    assert chain.decoded == []


def test_the_stage_mels_publishes_the_network_before_its_shards(chain: Chain):
    chain.count()
    config = chain.config(chain.onnx)
    update_tracks(Store(config.store), config.catalog)
    stage = sharded_stage("mels", config)
    assert not stage.is_prepared()
    stage.prepare()
    assert sharded_stage("mels", config).is_prepared()
    assert stage.pending() == stage.shards() == [0, 1]
    assert stage.compute([1]) > 0
    assert stage.pending() == [0]
    stage.compute([0])
    assert {with_network for _, with_network in chain.decoded} == {True}
    assert stage.store.manifest(stage.commit()).rows > 0
    assert len(stage.store.part_fingerprints("network_vectors")) == 2
    assert sharded_stage("mels", chain.config(None)).is_prepared()
