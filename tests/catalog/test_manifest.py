"""A catalog from a manifest: mapped columns, the layouts of known data sets, and faults of a manifest."""

import csv
import gzip
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mutagen.flac import FLAC

from audioae.catalog.scan import CatalogConfig
from audioae.config import load_config
from audioae.errors import ConfigError
from tests.catalog.made import scan, scan_rows, write, write_csv

# Made without a time, so that tests have the same names in every process.
CUT = gzip.compress(b"path\n" + np.random.default_rng(0).bytes(999), mtime=0)[:500]
LATIN = gzip.compress("path\né.wav\n".encode("latin-1"), mtime=0)
CONFIGS = Path(__file__).parents[2] / "configs" / "catalog"


@pytest.fixture
def audio(tmp_path) -> Path:
    """A folder that contains `audio/a.wav`, `b.wav` and `c.wav`."""
    for i, name in enumerate(["a", "b", "c"]):
        write(tmp_path / "audio" / f"{name}.wav", i)
    return tmp_path


class TestLayouts:
    def scan(self, name: str, folder: Path, monkeypatch) -> list[dict]:
        monkeypatch.chdir(folder)
        return scan(load_config(CatalogConfig, CONFIGS / f"{name}.yaml")).to_pylist()

    def test_esc50(self, tmp_path, monkeypatch):
        root = tmp_path / "ESC-50-master"
        for name in ("1-100032-A-0.wav", "1-100038-A-14.wav"):
            write(root / "audio" / name)
        write_csv(
            root / "meta" / "esc50.csv",
            "filename,fold,target,category,esc10,src_file,take",
            "1-100038-A-14.wav,2,14,chirping_birds,False,100038,A",
            "1-100032-A-0.wav,1,0,dog,True,100032,A",
        )
        rows = self.scan("esc50", tmp_path, monkeypatch)
        assert [(row["title"], row["label"], row["split"]) for row in rows] == [
            ("1-100032-A-0", "dog", "1"),
            ("1-100038-A-14", "chirping_birds", "2"),
        ]
        config = load_config(CatalogConfig, CONFIGS / "esc50.yaml", ["where.esc10='True'"])
        assert scan(config)["label"].to_pylist() == ["dog"]

    def test_gtzan(self, tmp_path, monkeypatch):
        for name in ("blues/blues.00000.wav", "rock/rock.00001.au"):
            write(tmp_path / "genres_original" / name)
        rows = self.scan("gtzan", tmp_path, monkeypatch)
        assert [(row["title"], row["label"]) for row in rows] == [("blues.00000", "blues"), ("rock.00001", "rock")]

    def test_fma(self, tmp_path, monkeypatch):
        write(tmp_path / "fma_small" / "000" / "000002.mp3")
        write(tmp_path / "fma_small" / "012" / "012345.mp3", 1)
        header = [
            ["", "album", "artist", "set", "set", "track", "track", "track"],
            ["", "title", "name", "split", "subset", "date_created", "genre_top", "title"],
            ["track_id", "", "", "", "", "", "", ""],
        ]
        rows = [
            ["2", "AWOL", "A. Way", "training", "small", "2008-11-26 01:48:12", "Hip-Hop", "Food"],
            ["3", "AWOL", "A. Way", "training", "medium", "2008-11-26 01:48:14", "Hip-Hop", "Electric Ave"],
            ["12345", "Two, and", "B", "test", "small", "2010-01-01 00:00:00", "", "Freeway"],
        ]
        (tmp_path / "fma_metadata").mkdir()
        with open(tmp_path / "fma_metadata" / "tracks.csv", "w", newline="") as file:
            csv.writer(file).writerows(header + rows)
        first, second = self.scan("fma", tmp_path, monkeypatch)
        assert first["track_id"] == "000002"
        assert first["uri"] == str(tmp_path / "fma_small/000/000002.mp3")
        values = [first[name] for name in ("title", "artist", "album", "label", "split", "year")]
        assert values == ["Food", "A. Way", "AWOL", "Hip-Hop", "training", 2008]
        assert first["added_at"] == datetime(2008, 11, 26, 1, 48, 12, tzinfo=UTC)
        assert (second["track_id"], second["label"], second["album"]) == ("012345", None, "Two, and")

    def test_folder(self, tmp_path):
        write(tmp_path / "a.wav")
        config = load_config(CatalogConfig, CONFIGS / "folder.yaml", [f"source={tmp_path}"])
        assert scan(config)["title"].to_pylist() == ["a"]

    def test_real_recordings(self, real_recordings):
        esc10 = scan_rows(real_recordings / "esc10.csv", columns={"split": "fold"})
        music = scan_rows(real_recordings / "music.csv")
        assert len({row["track_id"] for row in esc10}) == len({row["content_hash"] for row in esc10}) == 400
        assert len({row["label"] for row in esc10}) == 10
        assert {row["split"] for row in esc10} == {"1", "2", "3", "4", "5"}
        assert all(3 < row["duration_s"] < 8 for row in esc10)
        assert len(music) == 9
        assert all(row["label"] is None and row["artist"] and row["duration_s"] > 5 for row in music)


class TestManifest:
    def test_columns_with_our_names_need_no_map(self, audio):
        manifest = write_csv(
            audio / "m.tsv",
            "path\tlabel\tyear\tartist\tadded_at\tmood",
            "audio/b.wav\tunknown\t1999.0\t\t2024-05-01\tcalm",
            f"{audio}/audio/a.wav\tRock\t\tA, B\t2024-05-01T12:00:00+02:00\tcalm",
        )
        a, b = scan_rows(manifest)
        assert [row["title"] for row in (a, b)] == ["a", "b"]
        assert (a["label"], a["year"], a["artist"]) == ("Rock", None, "A, B")
        assert (b["label"], b["year"], b["artist"]) == (None, 1999, None)
        assert a["added_at"] == datetime(2024, 5, 1, 10, tzinfo=UTC)
        assert b["added_at"] == datetime(2024, 5, 1, tzinfo=UTC)

    def test_ids_are_equal_for_relative_and_absolute_paths(self, audio):
        relative = scan_rows(write_csv(audio / "r.csv", "path", "audio/a.wav", "./audio/../audio/b.wav"))
        absolute = scan_rows(write_csv(audio / "a.csv", "path", f"{audio}/audio/a.wav", f"{audio}/audio/b.wav"))
        assert relative == absolute
        assert [row["track_id"] for row in relative] == [row["track_id"] for row in scan_rows(audio)[:2]]

    def test_relative_paths_may_leave_the_folder_of_the_manifest_only_on_request(self, audio):
        manifest = write_csv(audio / "meta" / "m.csv", "path", "../audio/a.wav", "../audio/../audio/b.wav")
        with pytest.raises(ConfigError, match=r"2 paths lead out of .*/meta, such as \.\./audio/a\.wav; set "):
            scan_rows(manifest)
        inside, outside = scan_rows(manifest, root=str(audio / "audio")), scan_rows(manifest, follow_outside=True)
        assert [row["uri"] for row in inside] == [str(audio / "audio" / f"{name}.wav") for name in "ab"]
        assert [row["uri"] for row in outside] == [row["uri"] for row in inside]

    def test_quotes_newlines_and_a_byte_order_mark(self, audio):
        manifest = write_csv(
            audio / "m.csv", "\ufeffpath,title", '"audio/a.wav","two\nlines, ""quoted"""', "", "audio/b.wav"
        )
        assert [row["title"] for row in scan_rows(manifest)] == ['two\nlines, "quoted"', "b"]

    def test_parquet(self, audio):
        table = pa.table(
            {
                "file": ["audio/a.wav", "audio/b.wav"],
                "number": pa.array([7, None], pa.float64()),
                "year": pa.array([2001, None], pa.int16()),
                "added": pa.array([datetime(2020, 2, 3, 4, 5, 6, 789), None], pa.timestamp("us")),
                "label": pa.array([None, float("nan")], pa.float64()),
            }
        )
        pq.write_table(table, audio / "m.parquet")
        columns = {"path": "file", "title": "number", "added_at": "added"}
        a, b = scan_rows(audio / "m.parquet", columns=columns)
        assert (a["title"], a["year"], a["label"]) == ("7", 2001, None)
        assert a["added_at"] == datetime(2020, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
        assert (b["title"], b["year"], b["label"]) == ("b", None, None)
        assert b["added_at"].timestamp() == pytest.approx((audio / "audio" / "b.wav").stat().st_mtime, abs=1e-5)

    def test_a_doubled_column_that_is_not_used_is_no_error(self, audio):
        manifest = write_csv(audio / "m.csv", "path,note,label,note,,", "audio/a.wav,1,x,2,,")
        assert [row["label"] for row in scan_rows(manifest)] == ["x"]
        doubled = pa.Table.from_arrays([pa.array(["audio/a.wav"]), pa.array([1]), pa.array([2])], ["path", "n", "n"])
        pq.write_table(doubled, audio / "m.parquet")
        assert len(scan_rows(audio / "m.parquet")) == 1
        with pytest.raises(ConfigError, match=r"columns.title: .*the columns 2 and 3 are both called 'n'"):
            scan_rows(audio / "m.parquet", columns={"title": "n"})

    def test_lists_and_structs_of_parquet(self, audio):
        table = pa.table(
            {
                "path": ["audio/a.wav", "audio/b.wav", "audio/c.wav"],
                "label": [["Jazz", "unknown", "Funk"], [], None],
                "by": [{"name": ["A", "B"]}, {"name": ["VA"]}, None],
                "title": [["One", "Two"], None, [None]],
            }
        )
        pq.write_table(table, audio / "m.parquet")
        a, b, c = scan_rows(audio / "m.parquet", columns={"artist": "by.name"})
        assert (a["label"], a["genres"], a["artist"], a["artists"]) == ("Jazz", ["Jazz", "Funk"], "A", ["A", "B"])
        assert [row["title"] for row in (a, b, c)] == ["One", "b", "c"]
        for row in (b, c):
            assert [row[name] for name in ("label", "genres", "artist", "artists")] == [None] * 4
        (row,) = scan_rows(audio / "m.parquet", where={"label": "Funk"})
        assert row["uri"] == a["uri"]

    def test_tags_do_not_override_a_manifest(self, audio):
        file = FLAC(write(audio / "audio" / "d.flac"))
        file.update({"title": "Tag", "artist": "Tag", "genre": "Tag"})
        file.save()
        (row,) = scan_rows(write_csv(audio / "m.csv", "path,label", "audio/d.flac,"))
        assert (row["title"], row["artist"], row["label"]) == ("d", None, None)

    def test_track_ids_of_the_manifest_are_kept_and_padded(self, audio):
        manifest = write_csv(audio / "m.csv", "track_id,path", "2,audio/a.wav", "1,audio/b.wav")
        assert [row["track_id"] for row in scan_rows(manifest)] == ["2", "1"]
        assert [row["track_id"] for row in scan_rows(manifest, id_width=3)] == ["002", "001"]

    def test_a_repeated_path_is_skipped_with_a_warning(self, audio, caplog):
        manifest = write_csv(audio / "m.csv", "path,label", "audio/a.wav,x", "audio/b.wav,y", "audio//a.wav,x")
        assert [row["label"] for row in scan_rows(manifest)] == ["x", "y"]
        assert "skipped 1 rows that repeat a path, such as " in caplog.text

    def test_missing_files_are_rows_without_a_hash(self, audio, caplog):
        manifest = write_csv(audio / "m.csv", "path", "audio/a.wav", "gone/1.wav", "gone/2.wav")
        rows = scan_rows(manifest)
        assert [row["content_hash"] is None for row in rows] == [False, True, True]
        assert rows == scan_rows(manifest)
        assert "2 of 3 files cannot be read, for example" in caplog.text
        assert "gone/1.wav" in caplog.text

    def test_special_files_are_never_opened(self, audio):
        os.mkfifo(audio / "fifo.wav")
        manifest = write_csv(audio / "m.csv", "path", "audio/a.wav", "fifo.wav", "/dev/zero", "audio")
        rows = {row["uri"]: row["content_hash"] is None for row in scan_rows(manifest)}
        assert rows == {
            str(audio / "audio" / "a.wav"): False,
            **{str(path): True for path in (audio / "fifo.wav", "/dev/zero", audio / "audio")},
        }
        os.mkfifo(audio / "fifo.csv")
        with pytest.raises(ConfigError, match=r"catalog.source: .*/fifo.csv is a fifo. Expected a manifest"):
            scan_rows(audio / "fifo.csv")

    def test_files_of_an_earlier_scan_are_not_read_again(self, audio):
        config = CatalogConfig(source=str(write_csv(audio / "m.csv", "path,label", "audio/a.wav,x", "audio/b.wav,y")))
        first = scan(config)
        write_csv(audio / "m.csv", "path,label", "audio/a.wav,x", "audio/b.wav,z", "audio/c.wav,z")
        again = scan(config, first)
        assert again["label"].to_pylist() == ["x", "z", "z"]
        assert again.slice(0, 1).equals(first.slice(0, 1))
        assert again["content_hash"].null_count == 0


class TestFormats:
    ROWS = (["path", "label"], ["audio/a.wav", "Rock, or so"], ["audio/b.wav", "Jazz"])

    def text(self, delimiter: str) -> str:
        return "\n".join(
            delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in self.ROWS
        )

    @pytest.mark.parametrize(
        ("name", "delimiter", "said"),
        [
            ("m.csv", ",", None),
            ("m.csv", ";", "its cells are separated by semicolons"),
            ("m.csv", "\t", "its cells are separated by tabs"),
            ("m.csv", "|", "its cells are separated by bars"),
            ("m.tsv", "\t", None),
            ("m.tsv", ",", "its cells are separated by commas"),
            ("m.CSV.gz", ";", "its cells are separated by semicolons"),
            ("m.tsv.gz", "\t", None),
        ],
    )
    def test_the_delimiter_is_found_and_said(self, audio, caplog, name, delimiter, said):
        text = self.text(delimiter).encode()
        (audio / name).write_bytes(gzip.compress(text, mtime=0) if name.endswith("gz") else text)
        with caplog.at_level(logging.INFO):
            rows = scan_rows(audio / name)
        assert [(row["title"], row["label"]) for row in rows] == [("a", "Rock, or so"), ("b", "Jazz")]
        assert said in caplog.text if said else "separated" not in caplog.text

    @pytest.mark.parametrize("name", ["m.jsonl", "m.jsonl.gz"])
    def test_json_lines(self, audio, name):
        rows = [
            {"path": "audio/a.wav", "label": ["Jazz", "Funk"], "by": {"name": "A"}, "year": 1999, "extra": None},
            {"path": "audio/b.wav", "title": "B", "year": 2001.0, "label": "n/a"},
        ]
        text = "\n".join(map(json.dumps, rows)).encode()
        (audio / name).write_bytes(gzip.compress(text, mtime=0) if name.endswith("gz") else text)
        a, b = scan_rows(audio / name, columns={"artist": "by.name"})
        names = ("title", "artist", "label", "genres", "year")
        assert [a[name] for name in names] == ["a", "A", "Jazz", ["Jazz", "Funk"], 1999]
        assert [b[name] for name in names] == ["B", None, None, None, 2001]


class TestErrors:
    @pytest.mark.parametrize(
        ("rows", "options", "message"),
        [
            (["file,label", "a.wav,x"], {}, r"columns.path: .* has no column 'path'. Its columns: 'file', 'label'"),
            (["paths", "a.wav"], {}, r"no column 'path'. Did you mean 'paths'\? Its columns"),
            (["path", "a.wav"], {"columns": {"label": "genre"}}, r"catalog.columns.label: .*no column 'genre'"),
            (["path"], {}, r"no rows below the header \(1 rows\)"),
            ([""], {}, r"no rows below the header \(1 rows\)"),
            (["path,label", "a.wav,x", ",y"], {}, r"1 rows without a path, the first is row 2"),
            (["path,label", "a.wav,x,y"], {}, r"3 cells for 2 columns in the row"),
            (["path", "x/a.wav", "x/b.wav"], {}, r"none of its 2 files can be read, for example .*set catalog.root to"),
            (["path,track_id", "a.wav,7", "b.wav,7"], {}, r"duplicate track_id '7': .*a.wav and .*b.wav"),
            (["path,track_id", "a.wav,7", "b.wav,"], {}, r"no track_id for .*b.wav"),
            (
                ["path,label,artist,label", "a.wav,x,A,y"],
                {},
                r"columns.label: .*: the columns 2 and 4 are both called 'label'; rename one",
            ),
            (
                ["path,label", "a.wav,x", "b.wav,y", "./a.wav,z"],
                {},
                r"two rows of .*/a.wav differ: label is 'x' in row 1 and 'z' in row 3; keep one of them",
            ),
            (["path,track_id", "a.wav,1", "a.wav,2"], {}, r"track_id is '1' in row 1 and '2' in row 2"),
            (["path,added_at", "a.wav,yesterday"], {}, r"added_at: .*got 'yesterday', wanted 2026-01-31"),
            (
                ["path,s", "a.wav,x"],
                {"where": {"s": "y"}},
                r"where.s: got 'y', which no row of .* has; values are 'x'",
            ),
            (
                ["id,s", "1,x"],
                {"path_template": "{track_id}.wav"},
                r"no 'track_id' in the row .*; set catalog.columns.track_id",
            ),
        ],
    )
    def test_faults_are_errors_that_name_the_place(self, audio, rows, options, message):
        manifest = write_csv(audio / "audio" / "m.csv", *rows)
        with pytest.raises(ConfigError, match=message):
            scan_rows(manifest, **options)

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("m.csv", "path\né.wav\n".encode("latin-1"), r"not UTF-8 at byte 5; save it as UTF-8"),
            ("m.parquet", b"path\na.wav\n", r"not a Parquet file"),
            ("m.csv.gz", b"path\na.wav\n", r"not a whole gzip file: Not a gzipped file"),
            ("m.csv.gz", CUT, r"not a whole gzip file: Compressed file"),
            (
                "m.tsv.gz",
                LATIN,
                r"not UTF-8 at byte 5; save it as UTF-8",
            ),
            ("m.jsonl", b'{"path": "a.wav"}\n{"path": \n', r"line 2 is not JSON"),
            ("m.jsonl", b'\n["a.wav"]\n', r"line 2 is a list; wanted one object per line"),
            ("m.jsonl", b"\n", r"the manifest has no rows"),
            ("m.jsonl", b"[" * 100_000, r"line 1 is not JSON"),
        ],
    )
    def test_content_of_another_format_is_an_error(self, tmp_path, name, content, message):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=message):
            scan_rows(tmp_path / name)

    def test_a_missing_manifest_is_an_error(self, tmp_path):
        with pytest.raises(ConfigError, match=r"catalog.source: file not found: .*/m.csv. Expected a manifest: .csv"):
            scan_rows(tmp_path / "m.csv")


def test_ids_of_recordings_in_a_manifest(audio: Path):
    mbid = "5fee3020-513b-48c2-b1f7-4681b01db0c6"
    rows = ["path,isrc,mbid", f"audio/a.wav,us-rc1-76-07839,{mbid.upper()}", "audio/b.wav,n/a,"]
    manifest = write_csv(audio / "m.csv", *rows)
    a, b = scan_rows(manifest, columns={"musicbrainz_id": "mbid"})
    assert (a["isrc"], a["musicbrainz_id"]) == ("USRC17607839", mbid)
    assert (b["isrc"], b["musicbrainz_id"]) == (None, None)
