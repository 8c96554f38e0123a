"""The stage catalog: stable shards and IDs, growth, exact duplicates."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from mutagen.flac import FLAC

from audioae.catalog import scan as scan_module
from audioae.catalog.scan import CatalogConfig
from audioae.pipeline.tracks import update_tracks
from audioae.store.dataset import Store
from audioae.store.schemas import TRACKS


@pytest.fixture
def music(tiny_audio: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_audio, tmp_path / "music"))


def scan(store: Store, music: Path):
    ref = update_tracks(store, CatalogConfig(source=str(music), min_shards=6))
    return ref, {row["track_id"]: row for row in store.read(ref).to_pylist()}


def a_file(music: Path) -> Path:
    return min(music.rglob("*.flac"))


def test_an_unchanged_source_gives_the_same_version(music, tmp_path):
    store = Store(str(tmp_path / "store"))
    first, tracks = scan(store, music)
    assert scan(store, music)[0] == first
    assert len(tracks) == 24
    assert sorted({row["shard"] for row in tracks.values()}) == list(range(6))


def test_new_tracks_fill_the_newest_shard_and_old_shards_stay_the_same(music, tmp_path):
    store = Store(str(tmp_path / "store"))
    content = a_file(music).read_bytes()
    first, before = scan(store, music)
    for i in range(3):
        (music / f"{i} first in order.flac").write_bytes(content + bytes(i + 1))
    second, after = scan(store, music)
    new = after.keys() - before.keys()
    assert [after[track_id]["shard"] for track_id in new] == [5, 5, 5]
    assert {track_id: after[track_id] for track_id in before} == before
    assert [p.name for p in store.manifest(second).parts][:-1] == [p.name for p in store.manifest(first).parts][:-1]


def test_track_ids_survive_a_rename_of_the_source_folder(music, tmp_path):
    _, before = scan(Store(str(tmp_path / "a")), music)
    _, after = scan(Store(str(tmp_path / "b")), music.rename(tmp_path / "renamed"))
    assert after.keys() == before.keys()


def test_an_exact_duplicate_names_the_track_seen_first(music, tmp_path):
    store = Store(str(tmp_path / "store"))
    original = a_file(music)
    _, before = scan(store, music)
    shutil.copy(original, music / "0 copy.flac")
    _, after = scan(store, music)
    (copy,) = after.keys() - before.keys()
    keeper = next(t for t, row in before.items() if row["uri"] == str(original))
    assert after[copy]["duplicate_of"] == keeper
    assert [row["duplicate_of"] for t, row in after.items() if t != copy] == [None] * 24
    original.unlink()
    _, last = scan(store, music)
    assert last[copy]["duplicate_of"] is None, "the copy is the only one left"


def test_a_changed_file_changes_only_its_shard(music, tmp_path):
    store = Store(str(tmp_path / "store"))
    first, before = scan(store, music)
    a_file(music).write_bytes(a_file(music).read_bytes() + b"\0")
    second, after = scan(store, music)
    assert after.keys() == before.keys()
    names = [{p.name for p in store.manifest(ref).parts} for ref in (first, second)]
    assert len(names[0] - names[1]) == len(names[1] - names[0]) == 1


def test_tags_of_a_catalog_of_an_older_version_are_read_once_more(music, tmp_path, monkeypatch):
    store = Store(str(tmp_path / "store"))
    file = FLAC(a_file(music))
    file["isrc"] = "USRC17607839"
    file.save()
    ref, _ = scan(store, music)
    wanted = store.read(ref)
    manifest = store.manifest(ref)
    old = wanted.set_column(wanted.schema.get_field_index("isrc"), "isrc", pa.nulls(wanted.num_rows, pa.string()))
    store.write_part("tracks", "000000-old", old.cast(TRACKS))
    part = store._describe("tracks", "000000-old.parquet")
    store.publish(manifest.model_copy(update={"parts": [part], "schema_version": 2}))
    reads = []
    read_files = scan_module.read_files
    monkeypatch.setattr(scan_module, "read_files", lambda *a: reads.append(len(a[1])) or read_files(*a))
    for _ in range(2):
        assert store.read(scan(store, music)[0])["isrc"].equals(wanted["isrc"])
    assert reads == [24]
