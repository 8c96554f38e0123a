"""A catalog from a folder: tags, stable IDs, links, odd names, what is wrong with a folder, and scanning again."""

import os
import unicodedata
from pathlib import Path
from typing import Any

import mutagen
import mutagen.id3
import numpy as np
import pyarrow as pa
import pytest
import soundfile
from mutagen.flac import FLAC

from audioae.catalog.scan import SCANNED, CatalogConfig, scan
from audioae.config import parse_config
from audioae.errors import ConfigError

NOISE = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)


def write(path: Path, seed: int = 0) -> Path:
    """One second of noise; the format is the suffix's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind, subtype = {".opus": ("OGG", "OPUS"), ".oga": ("OGG", "VORBIS")}.get(
        path.suffix, (path.suffix[1:].upper(), None)
    )
    soundfile.write(path, np.roll(NOISE, seed), 24_000, format=kind, subtype=subtype)
    return path


def scan_rows(source: Path, known: pa.Table | None = None, **options) -> list[dict]:
    table = scan(CatalogConfig(source=str(source), **options), known)
    assert table.schema == SCANNED
    return table.to_pylist()


class TestFolder:
    @pytest.mark.parametrize("suffix", [".mp3", ".flac", ".ogg", ".opus", ".wav", ".aiff", ".m4a"])
    def test_tags(self, tmp_path, suffix):
        path = tmp_path / f"a{suffix}"
        if suffix == ".m4a":
            write_m4a(path)
        else:
            write(path)
        file: Any = mutagen.File(path, easy=True)  # type: ignore[attr-defined] - it does not export what it documents
        if file.tags is None:
            file.add_tags()
        tags: Any = file.tags
        if isinstance(tags, mutagen.id3.ID3):
            frames = {"TIT2": "Tïtle", "TPE1": "Ärtist", "TALB": "Album", "TCON": "(8)", "TDRC": "1999-02"}
            for frame, text in frames.items():
                tags.add(getattr(mutagen.id3, frame)(encoding=3, text=text))
        else:
            tags.update({"title": "Tïtle", "artist": "Ärtist", "album": "Album", "genre": "Jazz", "date": "1999-02"})
        file.save()
        (row,) = scan_rows(tmp_path)
        found = [row[name] for name in ("title", "artist", "album", "label", "year", "split")]
        assert found == ["Tïtle", "Ärtist", "Album", "Jazz", 1999, None]
        assert row["duration_s"] == pytest.approx(1.0, abs=0.15)
        assert row["size_bytes"] == path.stat().st_size
        assert row["modified_ns"] == path.stat().st_mtime_ns

    @pytest.mark.parametrize("label", ["", " ", "unknown", "Unknown", "N/A", "none", "-"])
    def test_a_label_that_says_nothing_is_null(self, tmp_path, label):
        file = FLAC(write(tmp_path / "a.flac"))
        file.update({"genre": label, "title": " "})
        file.save()
        (row,) = scan_rows(tmp_path)
        assert row["label"] is None
        assert row["title"] == "a"

    def test_order_ids_and_hidden_files(self, tmp_path):
        for i, name in enumerate(
            ["b/2.wav", "b/1.FLAC", "a.wav", ".hidden.wav", ".folder/c.wav", "b/._1.wav", "cover.jpg"]
        ):
            path = tmp_path / "music" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write(tmp_path / f"x{i}.wav", i).rename(path)
        before = scan_rows(tmp_path / "music")
        assert [os.path.relpath(row["uri"], tmp_path / "music") for row in before] == ["a.wav", "b/1.FLAC", "b/2.wav"]
        assert len({row["content_hash"] for row in before}) == 3
        assert all(len(row["track_id"]) == 16 and int(row["track_id"], 16) >= 0 for row in before)
        (tmp_path / "music").rename(tmp_path / "renamed")
        after = scan_rows(tmp_path / "renamed")
        assert [row["track_id"] for row in after] == [row["track_id"] for row in before]
        assert [row["content_hash"] for row in after] == [row["content_hash"] for row in before]

    def test_the_same_bytes_have_the_same_hash(self, tmp_path):
        (tmp_path / "copy.wav").write_bytes(write(tmp_path / "a.wav").read_bytes())
        write(tmp_path / "other.wav", 1)
        one, copy, other = scan_rows(tmp_path)
        assert one["content_hash"] == copy["content_hash"] != other["content_hash"]
        assert one["track_id"] != copy["track_id"]

    def test_labels_from_folders(self, tmp_path):
        write(tmp_path / "top.wav")
        write(tmp_path / "rock" / "a.wav")
        write(tmp_path / "x" / "Unknown" / "b.wav")
        rows = scan_rows(tmp_path, label_from="folder")
        assert [(row["title"], row["label"]) for row in rows] == [("a", "rock"), ("top", None), ("b", None)]

    def test_what_is_no_audio_is_listed_too(self, tmp_path):
        (tmp_path / "empty.mp3").touch()
        (tmp_path / "garbage.flac").write_bytes(os.urandom(5000))
        (tmp_path / "id3.mp3").write_bytes(b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(50))
        rows = scan_rows(tmp_path)
        assert [(row["title"], row["duration_s"]) for row in rows] == [
            ("empty", None),
            ("garbage", None),
            ("id3", None),
        ]
        assert all(row["content_hash"] for row in rows)

    def test_links(self, tmp_path):
        outside = write(tmp_path / "outside" / "o.wav", 1).parent
        (outside / "back").symlink_to(tmp_path)
        music = write(tmp_path / "music" / "album" / "a.wav").parent.parent
        (music / "loop").symlink_to(music)
        (music / "album" / "up").symlink_to(music / "album")
        (music / "again").symlink_to(music / "album")
        (music / "linked").symlink_to(outside)
        (music / "linked twice").symlink_to(outside)
        (music / "file.wav").symlink_to(outside / "o.wav")
        (music / "gone.wav").symlink_to(outside / "no such.wav")
        rows = scan_rows(music)
        names = [os.path.relpath(row["uri"], music) for row in rows]
        assert names == ["album/a.wav", "file.wav", "gone.wav", "linked/o.wav"]
        assert [row["content_hash"] is None for row in rows] == [False, False, True, False]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
    def test_a_folder_that_cannot_be_read_is_left_out_and_said(self, tmp_path, caplog):
        write(tmp_path / "a.wav")
        closed = write(tmp_path / "closed" / "b.wav").parent
        closed.chmod(0)
        try:
            assert [row["title"] for row in scan_rows(tmp_path)] == ["a"]
        finally:
            closed.chmod(0o755)
        assert "1 folders cannot be read and are left out" in caplog.text

    def test_odd_names(self, tmp_path):
        content = write(tmp_path / "x" / "a.wav").read_bytes()
        names = ["two\nlines.wav", 'a "quoted", name.wav', "back\\slash.wav", "emoji 🎵.wav", " space .wav"]
        for name in names:
            (tmp_path / "x" / name).write_bytes(content)
        rows = scan_rows(tmp_path / "x")
        assert {os.path.basename(row["uri"]) for row in rows} == {"a.wav", *names}
        assert all(Path(row["uri"]).exists() for row in rows)

    def test_a_name_that_is_not_utf8_is_listed_and_left_to_the_decoder(self, tmp_path):
        content = write(tmp_path / "a.wav").read_bytes()
        with open(os.fsencode(tmp_path) + b"/caf\xe9.wav", "wb") as file:
            file.write(content)
        first, second = scan_rows(tmp_path)
        assert second["title"] == "caf\\xe9"
        assert first["track_id"] != second["track_id"]
        assert scan(CatalogConfig(source=str(tmp_path))).equals(scan(CatalogConfig(source=str(tmp_path))))

    def test_ids_do_not_depend_on_unicode_normalization(self, tmp_path):
        composed, decomposed = (unicodedata.normalize(form, "é.wav") for form in ("NFC", "NFD"))
        content = write(tmp_path / "1" / composed).read_bytes()
        (tmp_path / "2").mkdir()
        (tmp_path / "2" / decomposed).write_bytes(content)
        (one,), (two,) = scan_rows(tmp_path / "1"), scan_rows(tmp_path / "2")
        assert one["track_id"] == two["track_id"]
        (tmp_path / "2" / composed).write_bytes(content)
        assert len({row["track_id"] for row in scan_rows(tmp_path / "2")}) == 2

    def test_what_is_no_folder(self, tmp_path):
        with pytest.raises(ConfigError, match=r"catalog.source: got .*/nowhere, which is no folder here"):
            scan_rows(tmp_path / "nowhere")

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(ConfigError, match=r"found no file at all; wanted audio files: .*\.flac"):
            scan_rows(tmp_path)

    def test_a_folder_without_audio(self, tmp_path):
        for name in ("a.jpg", "b.jpg", "c.txt", "README"):
            (tmp_path / name).touch()
        with pytest.raises(ConfigError, match=r"found 2 \.jpg, 1 \.txt, 1 files without a suffix; wanted audio files"):
            scan_rows(tmp_path)

    def test_options_of_manifests_do_not_fit_a_folder(self, tmp_path):
        with pytest.raises(ConfigError, match=r"root, where: only for a manifest"):
            parse_config(CatalogConfig, {"source": str(tmp_path), "root": "x", "where": {"a": "b"}}, "test")


class TestScanningAgain:
    def test_unchanged_files_are_not_read(self, tmp_path):
        path = write(tmp_path / "a.wav")
        write(tmp_path / "b.wav", 1)
        first = scan(CatalogConfig(source=str(tmp_path)))
        stat = path.stat()
        path.write_bytes(path.read_bytes()[::-1])  # other bytes, but the same size and time: as if it were not changed
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert scan(CatalogConfig(source=str(tmp_path)), first).equals(first)
        assert not scan(CatalogConfig(source=str(tmp_path))).equals(first)

    def test_changed_and_new_files_are(self, tmp_path):
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

    def test_progress_is_told(self, tmp_path):
        for i in range(3):
            write(tmp_path / f"{i}.wav", i)
        told: list[tuple[int, int]] = []
        table = scan(CatalogConfig(source=str(tmp_path)), None, lambda *progress: told.append(progress))
        assert told[-1] == (3, 3)
        told.clear()
        scan(CatalogConfig(source=str(tmp_path)), table, lambda *progress: told.append(progress))
        assert told == [(3, 3)]


def write_m4a(path: Path) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=24_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(NOISE[None], format="fltp", layout="mono")
        frame.rate = 24_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
