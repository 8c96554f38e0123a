"""The exported file: its columns, its numeric IDs, and the errors of an export."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audioae.errors import StoreError
from audioae.library import export
from audioae.library.export import SCHEMA, export_embeddings, numeric_ids
from audioae.library.vector_files import vectors_from_file
from audioae.store.dataset import Store
from audioae.store.schemas import DATASETS
from tests.stores import made_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Twelve tracks: number 5 is a near copy of number 0, number 7 has the bytes of number 2, number 9 was rejected."""
    columns = {"year": [1990 + i for i in range(12)], "split": ["train", "test"] * 6}
    return made_store(tmp_path / "store", copies={5: 0}, same_bytes={7: 2}, rejected=[9], columns=columns)


def exported(store: Store, path: Path) -> pa.Table:
    n_rows = export_embeddings(store, str(path))
    table = pq.read_table(path)
    assert table.num_rows == n_rows
    assert table.schema.equals(SCHEMA)
    return table


def test_each_embedding_has_the_metadata_of_its_track(store: Store, tmp_path: Path):
    rows = exported(store, tmp_path / "out.parquet").to_pylist()
    stored = store.read(store.require("embeddings")).to_pylist()
    assert [(row["track_id"], row["embedding"]) for row in rows] == [
        (row["track_id"], row["embedding"]) for row in stored
    ]
    assert [row["track_id"] for row in rows] == [f"t{i:02d}" for i in range(12) if i not in (7, 9)]
    fourth = next(row for row in rows if row["track_id"] == "t04")
    wanted = {"uri": "/music/t04.mp3", "title": "Title 4", "artist": "artist 4", "album": None, "label": "style 0"}
    assert wanted.items() <= fourth.items()
    assert (fourth["year"], fourth["duration_s"], fourth["split"]) == (1994, 184.0, "train")
    assert fourth["model"] == str(store.require("model"))


def test_near_copies_name_the_track_that_they_repeat(store: Store, tmp_path: Path):
    rows = exported(store, tmp_path / "out.parquet").to_pylist()
    assert {row["track_id"]: row["duplicate_of"] for row in rows if row["duplicate_of"]} == {"t05": "t00"}


def test_duplicates_are_unknown_without_an_index(tmp_path: Path):
    store = made_store(tmp_path / "store", copies={5: 0}, indexed=False)
    assert exported(store, tmp_path / "out.parquet")["duplicate_of"].null_count == 12


def test_a_hexadecimal_id_becomes_its_value():
    numbers = numeric_ids(pa.array(["000000000000000f", "00000000000001ff", "ffffffffffffffff"]))
    assert numbers.dtype == np.uint64
    assert numbers.tolist() == [15, 511, 2**64 - 1]


def test_other_ids_become_a_stable_number_of_63_bits(store: Store, tmp_path: Path):
    """The value is part of the format: it must never change, or a database would get every track twice."""
    numbers = exported(store, tmp_path / "out.parquet")["numeric_id"].to_numpy()
    assert numbers[0] == numeric_ids(pa.array(["t00"]))[0] == 2200894712350162668
    assert len({*numbers.tolist()}) == len(numbers)
    assert numbers.max() < 2**63
    upper_case = numeric_ids(pa.array(["00000000000000AA", "00000000000000aa"]))
    assert upper_case[0] != upper_case[1] == 170


def test_two_tracks_with_one_number_are_rejected(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "_number", lambda track_id: int(track_id[1:]) // 2)
    with pytest.raises(StoreError, match=r"embeddings@.*: 2 tracks have the numeric_id 0; give one of them another"):
        export_embeddings(store, str(tmp_path / "out.parquet"))
    assert not list(tmp_path.glob("*.parquet*")), "nothing is written"


def test_each_part_is_joined_with_its_own_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The catalog is read in parts too, so that time is linear and memory small."""
    store = made_store(tmp_path / "store", 4, indexed=False)
    manifest = store.manifest(store.require("embeddings"))
    tracks = store.read(manifest.parent("tracks"))
    more = tracks.set_column(0, tracks.schema.field("track_id"), pa.array([f"u{i}" for i in range(4)]))
    store.write_part("tracks", "000001-made", more)
    catalog = store.commit("tracks", ["000000-made", "000001-made"], recipe="two", config={})
    part = store.read(store.require("embeddings"))
    ids = part.set_column(0, DATASETS["embeddings"].schema.field("track_id"), more["track_id"])
    store.write_part("embeddings", "000001-made", ids)
    parents = [catalog, *(manifest.parent(name) for name in ("model", "rejects", "health"))]
    config = manifest.config
    store.commit("embeddings", ["000000-made", "000001-made"], recipe="two", config=config, parents=parents)
    monkeypatch.setattr(Store, "read", None)
    table = exported(store, tmp_path / "out.parquet")
    assert table["track_id"].to_pylist() == ["t00", "t01", "t02", "t03", "u0", "u1", "u2", "u3"]
    assert table["title"].to_pylist() == [f"Title {i}" for i in range(4)] * 2


def test_an_embedding_without_a_track_is_rejected(tmp_path: Path):
    store = made_store(tmp_path / "store", 4, indexed=False)
    manifest = store.manifest(store.require("embeddings"))
    part = store.read(store.require("embeddings"))
    field = DATASETS["embeddings"].schema.field("track_id")
    store.write_part("embeddings", "000000-other", part.set_column(0, field, pa.array(["a", "b", "t02", "t03"])))
    parents = [manifest.parent(name) for name in ("tracks", "model", "rejects", "health")]
    store.commit("embeddings", ["000000-other"], recipe="other", config=manifest.config, parents=parents)
    with pytest.raises(StoreError, match=r"2 tracks of embeddings@.* are missing from shard 0 of tracks@.*; run the"):
        export_embeddings(store, str(tmp_path / "out.parquet"))
    assert not list(tmp_path.glob("*.parquet*"))


def test_an_exported_file_can_be_evaluated(store: Store, tmp_path: Path):
    exported(store, tmp_path / "out.parquet")
    vectors = vectors_from_file(str(tmp_path / "out.parquet"), None)
    assert vectors.metadata.ids.tolist() == [f"t{i:02d}" for i in range(12) if i not in (7, 9)]
    assert vectors.metadata.folds.tolist() == ["test" if i % 2 else "train" for i in range(12) if i not in (7, 9)]
    assert vectors.vectors.shape == (10, 128)


def test_a_file_that_cannot_be_written_is_named(store: Store):
    with pytest.raises(StoreError, match=r"/nowhere/out.parquet: cannot be written .*name a file in a folder"):
        export_embeddings(store, "/nowhere/out.parquet")
