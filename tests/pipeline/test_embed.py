"""Embeddings do not depend on how they are computed, and each part belongs to one model."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audioae.api import Library
from audioae.errors import StoreError
from audioae.pipeline.clips import mel_codes
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.embed import (
    commit_embeddings,
    compute_embeddings,
    embed_tracks,
    load_embedder,
    pending_embeddings,
)
from audioae.pipeline.index import read_embeddings
from audioae.pipeline.mels import pending_mels
from audioae.pipeline.shards import shard_numbers
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS, MELS
from tests.chain import copy_datasets
from tests.stores import made_store, random_weights


def test_embedding_without_stored_mels_gives_the_same_parts(chain, tmp_path):
    """A catalog can be embedded without ever storing its mels; the parts are byte-identical."""
    store, config = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks", "model")
    tracks, model = other.require("tracks"), other.require("model")
    pending = pending_embeddings(other, config.mels, tracks, model)
    assert pending == shard_numbers(other, tracks)
    compute_embeddings(other, config.mels, tracks, model, pending, Workers(2))
    ref = commit_embeddings(other, config.mels, tracks, model, max_reject_rate=0.0)
    assert ref == store.require("embeddings")
    assert other.latest("mels") is None
    assert other.part_fingerprints("mels") == set()
    for dataset in ("health", "rejects"):
        assert other.latest(dataset) == store.latest(dataset)


def test_the_embedding_of_a_file_agrees_with_the_stored_one(chain):
    store, _ = chain
    library = Library(store)
    table = read_embeddings(store, store.require("embeddings"))
    for row in library.tracks.slice(0, 4).to_pylist():
        stored = table.embeddings[table.row_of(row["track_id"])]
        assert float(stored @ library.embed(row["uri"]).embedding) >= 0.99999


def test_both_parts_of_a_stored_embedding_have_a_length_of_their_own(chain):
    store, _ = chain
    learned, fixed = np.split(read_embeddings(store, store.require("embeddings")).embeddings, 2, axis=1)
    lengths = np.linalg.norm(learned, axis=1), np.linalg.norm(fixed, axis=1)
    np.testing.assert_allclose(lengths[1] / lengths[0], 0.85, rtol=1e-4)
    np.testing.assert_allclose(np.hypot(*lengths), 1, rtol=1e-5)


def test_loud_clips_count_more_than_quiet_ones_in_every_track(chain):
    store, _ = chain
    embedder = load_embedder(store, store.require("model"), "cpu")
    mels = next(store.iter_parts(store.require("mels"))).combine_chunks()
    ids = mels["track_id"].to_numpy()
    second = np.r_[False, ids[1:] == ids[:-1]]  # all clips of a track but its first

    def embedded(peak_db: np.ndarray) -> np.ndarray:
        column = mels.schema.get_field_index("peak_db")
        table = embed_tracks(mels.set_column(column, "peak_db", pa.array(peak_db.astype(np.float32))), embedder)
        return np.stack(table["embedding"].to_numpy())

    peak_db = mels["peak_db"].to_numpy()
    first_alone = embed_tracks(mels.filter(pa.array(~second)), embedder)["embedding"].to_numpy()
    cosines = [(embedded(peak_db - quieter * second) * np.stack(first_alone)).sum(axis=1) for quieter in (0, 10, 50)]
    assert (cosines[0] < cosines[1]).all()
    assert (cosines[1] < cosines[2]).all()
    assert cosines[2].min() > 0.95
    np.testing.assert_allclose(embedded(peak_db - 12), embedded(peak_db), atol=1e-5)


def test_a_missing_part_is_an_error_and_nothing_is_published(chain, tmp_path):
    store, config = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks", "model")
    tracks, model = other.require("tracks"), other.require("model")
    compute_embeddings(other, config.mels, tracks, model, [0, 1], Workers(1))
    with pytest.raises(StoreError):
        commit_embeddings(other, config.mels, tracks, model, max_reject_rate=0.0)
    assert other.latest("embeddings") is None


def test_the_parts_of_one_model_are_pending_for_another(chain):
    store, config = chain
    tracks = store.require("tracks")
    assert pending_embeddings(store, config.mels, tracks, store.require("model")) == []
    assert len(pending_embeddings(store, config.mels, tracks, DatasetRef("model", "another"))) == 6


def test_an_exact_duplicate_has_the_embedding_of_its_original(chain):
    store, _ = chain
    library = Library(store)
    original = library.find(library.tracks["track_id"][0].as_py())
    duplicate = replace(original, track_id="f" * 16, duplicate_of=original.track_id)
    assert np.array_equal(library.embedding_of(duplicate), library.embedding_of(original))


def test_mels_of_an_older_schema_are_embedded_and_nothing_is_decoded(tmp_path, monkeypatch):
    """Version 1 had lists of numbers, in one row group."""
    store = made_store(tmp_path / "store", 6, indexed=False, model=random_weights())
    tracks, model, config = store.require("tracks"), store.require("model"), MelsConfig()
    (name,) = store.part_fingerprints("mels")
    mels, column = store.read_part("mels", name), MELS.get_field_index("mel")
    monkeypatch.setattr("audioae.audio.workers.imap_killable", lambda *_, **__: pytest.fail("a file is decoded"))
    parts, key = {}, ""
    for version in (2, 1):
        if version == 1:
            schema = DATASETS["mels"].stored_schema(1)
            codes = pa.array(mel_codes(mels).ravel())
            lists = pa.FixedSizeListArray.from_arrays(codes, type=schema.field("mel").type)
            pq.write_table(mels.set_column(column, schema.field("mel"), lists), tmp_path / "v1.parquet")
            store.storage.write(f"mels/parts/{name}.parquet", (tmp_path / "v1.parquet").read_bytes())
            store.storage.delete(key)
        assert pending_mels(store, config, tracks) == []
        assert compute_embeddings(store, config, tracks, model, [0], Workers(2)) == 6
        (key,) = (key for key in store.storage.list("embeddings/parts") if "made" not in key)
        parts[version] = store.storage.read(key)
    assert parts[1] == parts[2]
