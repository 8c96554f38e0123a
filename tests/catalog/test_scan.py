"""Rows of a scanned catalog: stable IDs, hashes, unusual names, and a second scan."""

import os
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from mutagen.flac import FLAC

from audioae.catalog import files
from audioae.catalog.audio_bytes import hash_audio
from audioae.catalog.limited_tags import Reading
from audioae.catalog.scan import SCANNED, CatalogConfig
from audioae.catalog.tags import Tags
from tests.catalog.made import scan, scan_rows, write

MUSICBRAINZ_ID = "5fee3020-513b-48c2-b1f7-4681b01db0c6"


def test_a_row_has_tags_size_and_time(tmp_path: Path):
    path = write(tmp_path / "a.flac")
    file = FLAC(path)
    file.update({"title": "Tïtle", "artist": "Ärtist", "genre": "Jazz", "date": "1999-02"})
    file.save()
    (row,) = scan_rows(tmp_path)
    values = [row[name] for name in ("title", "artist", "album", "label", "year", "split", "duration_s")]
    assert values == ["Tïtle", "Ärtist", None, "Jazz", 1999, None, 1.0]
    assert row["size_bytes"] == path.stat().st_size
    assert row["modified_ns"] == path.stat().st_mtime_ns


def test_order_and_ids_survive_a_rename_of_the_root(tmp_path: Path):
    for i, name in enumerate(["b/2.wav", "b/1.flac", "a.wav"]):
        write(tmp_path / "music" / name, i)
    before = scan_rows(tmp_path / "music")
    assert [os.path.relpath(row["uri"], tmp_path / "music") for row in before] == ["a.wav", "b/1.flac", "b/2.wav"]
    assert len({row["content_hash"] for row in before}) == 3
    assert all(len(row["track_id"]) == 16 and int(row["track_id"], 16) >= 0 for row in before)
    (tmp_path / "music").rename(tmp_path / "renamed")
    after = scan_rows(tmp_path / "renamed")
    assert [row["track_id"] for row in after] == [row["track_id"] for row in before]
    assert [row["content_hash"] for row in after] == [row["content_hash"] for row in before]


def test_equal_bytes_have_equal_hashes(tmp_path: Path):
    (tmp_path / "copy.wav").write_bytes(write(tmp_path / "a.wav").read_bytes())
    write(tmp_path / "other.wav", 1)
    one, copy, other = scan_rows(tmp_path)
    assert one["content_hash"] == copy["content_hash"] != other["content_hash"]
    assert one["track_id"] != copy["track_id"]


def test_files_that_are_not_audio_are_listed_too(tmp_path: Path):
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "garbage.flac").write_bytes(os.urandom(5000))
    rows = scan_rows(tmp_path)
    assert [(row["title"], row["duration_s"]) for row in rows] == [("empty", None), ("garbage", None)]
    assert all(row["content_hash"] for row in rows)


def test_a_link_to_a_missing_file_is_a_row_without_a_hash(tmp_path: Path):
    write(tmp_path / "a.wav")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "no such.wav")
    assert [row["content_hash"] is None for row in scan_rows(tmp_path)] == [False, True]


def test_unusual_names(tmp_path: Path):
    content = write(tmp_path / "x" / "a.wav").read_bytes()
    names = ["two\nlines.wav", 'a "quoted", name.wav', "back\\slash.wav", "emoji 🎵.wav", " space .wav"]
    for name in names:
        (tmp_path / "x" / name).write_bytes(content)
    rows = scan_rows(tmp_path / "x")
    assert {os.path.basename(row["uri"]) for row in rows} == {"a.wav", *names}
    assert all(Path(row["uri"]).exists() for row in rows)


def test_a_name_that_is_not_utf8_is_listed(tmp_path: Path):
    content = write(tmp_path / "a.wav").read_bytes()
    with open(os.fsencode(tmp_path) + b"/caf\xe9.wav", "wb") as file:
        file.write(content)
    first, second = scan_rows(tmp_path)
    assert second["title"] == "caf\\xe9"
    assert first["track_id"] != second["track_id"]
    assert scan(CatalogConfig(source=str(tmp_path))).equals(scan(CatalogConfig(source=str(tmp_path))))


def test_ids_do_not_depend_on_unicode_normalization(tmp_path: Path):
    composed, decomposed = (unicodedata.normalize(form, "é.wav") for form in ("NFC", "NFD"))
    content = write(tmp_path / "1" / composed).read_bytes()
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / decomposed).write_bytes(content)
    (one,), (two,) = scan_rows(tmp_path / "1"), scan_rows(tmp_path / "2")
    assert one["track_id"] == two["track_id"]
    (tmp_path / "2" / composed).write_bytes(content)
    assert len({row["track_id"] for row in scan_rows(tmp_path / "2")}) == 2


def test_unchanged_files_are_not_read_again(tmp_path: Path):
    path = write(tmp_path / "a.wav")
    write(tmp_path / "b.wav", 1)
    first = scan(CatalogConfig(source=str(tmp_path)))
    stat = path.stat()
    path.write_bytes(path.read_bytes()[::-1])  # other bytes of the same size and time count as unchanged
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert scan(CatalogConfig(source=str(tmp_path)), first).equals(first)
    assert not scan(CatalogConfig(source=str(tmp_path))).equals(first)


def test_changed_and_new_files_are_read(tmp_path: Path):
    write(tmp_path / "a.wav")
    write(tmp_path / "b.wav", 1)
    first = scan_rows(tmp_path)
    known = pa.Table.from_pylist(first, SCANNED)
    write(tmp_path / "b.wav", 2)
    os.utime(tmp_path / "b.wav", (1, 1))
    write(tmp_path / "c.wav", 3)
    a, b, c = scan_rows(tmp_path, known)
    assert a == first[0]
    assert b["content_hash"] != first[1]["content_hash"]
    assert b["track_id"] == first[1]["track_id"]
    assert c["content_hash"]


def test_files_are_read_again_on_request_only(tmp_path: Path):
    path = write(tmp_path / "a.flac")
    known = scan(CatalogConfig(source=str(tmp_path)))
    stat = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    config = CatalogConfig(source=str(tmp_path))
    assert scan(config, known)["content_hash"].equals(known["content_hash"])
    assert not scan(config, known, reread=True)["content_hash"].equals(known["content_hash"])


def test_only_tags_are_read_again_on_request(tmp_path: Path, monkeypatch):
    with_code, without = write(tmp_path / "a.flac"), write(tmp_path / "b.wav")
    file = FLAC(with_code)
    file.update({"title": "Title", "isrc": "USRC17607839", "musicbrainz_trackid": MUSICBRAINZ_ID})
    file.save()
    config = CatalogConfig(source=str(tmp_path))
    scanned = scan(config)
    assert scanned["isrc"].to_pylist() == ["USRC17607839", None]
    assert scanned["musicbrainz_id"].to_pylist() == [MUSICBRAINZ_ID, None]
    nothing = pa.nulls(2, pa.string())
    old = scanned
    for name in ("isrc", "musicbrainz_id"):
        old = old.set_column(old.schema.get_field_index(name), name, nothing)
    monkeypatch.setattr(files, "hash_audio", lambda path: pytest.fail(f"{path} is hashed again"))
    assert scan(config, old).equals(old)
    assert scan(config, old, retag=True).equals(scanned)
    without.write_bytes(b"now something else")
    with pytest.raises(pytest.fail.Exception, match=r"b\.wav is hashed again"):
        scan(config, old, retag=True)


def test_tags_that_cannot_be_read_again_now_stay(tmp_path: Path, monkeypatch):
    file = FLAC(write(tmp_path / "a.flac"))
    file["title"] = "Title"
    file.save()
    config = CatalogConfig(source=str(tmp_path))
    known = scan(config)
    monkeypatch.setattr(files, "read_all_tags", lambda batches, *_: ([Reading(Tags(), "busy", True)] for _ in batches))
    (row,) = scan(config, known, retag=True).to_pylist()
    assert (row["title"], row["modified_ns"]) == ("Title", None)


def test_an_edited_tag_changes_the_hash_of_the_file_but_not_of_its_audio(tmp_path: Path):
    path = write(tmp_path / "a.flac")
    (before,) = scan_rows(tmp_path)
    file = FLAC(path)
    file.update({"title": "Another"})
    file.save()
    (after,) = scan_rows(tmp_path)
    assert before["audio_hash"] == after["audio_hash"] == hash_audio(path)
    assert before["content_hash"] != after["content_hash"]


def test_two_names_that_are_shown_alike_are_two_tracks(tmp_path: Path):
    for name in (b"caf\xe9.wav", b"caf\\xe9.wav"):
        write(tmp_path / "made.wav", len(name)).rename(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    known = scan(CatalogConfig(source=str(tmp_path)))
    assert known["uri"].to_pylist() == [f"{tmp_path}/caf\\xe9.wav"] * 2
    assert known["path_bytes"].to_pylist() == [None, os.fsencode(tmp_path) + b"/caf\xe9.wav"]
    assert len(set(known["track_id"].to_pylist())) == len(set(known["content_hash"].to_pylist())) == 2
    assert scan(CatalogConfig(source=str(tmp_path)), known).equals(known)


def test_progress_ends_at_the_number_of_files(tmp_path: Path):
    for i in range(3):
        write(tmp_path / f"{i}.wav", i)
    calls: list[tuple[int, int]] = []
    table = scan(CatalogConfig(source=str(tmp_path)), None, lambda *progress: calls.append(progress))
    assert calls[-1] == (3, 3)
    calls.clear()
    scan(CatalogConfig(source=str(tmp_path)), table, lambda *progress: calls.append(progress))
    assert calls == [(3, 3)]


def test_names_in_messages_are_escaped(tmp_path: Path, caplog):
    write(tmp_path / "a.wav")
    (tmp_path / "two\nlines\x1b.wav").symlink_to(tmp_path / "no such.wav")
    (tmp_path / "b.\x1b[2J").touch()
    with open(os.fsencode(tmp_path) + b"/c.\xe9", "wb"), caplog.at_level("INFO"):
        scan_rows(tmp_path)
    assert r"two\nlines\x1b.wav" in caplog.text
    assert r".\x1b[2j 1" in caplog.text
    assert r".\xe9 1" in caplog.text
    assert "\x1b" not in caplog.text
