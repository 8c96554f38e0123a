"""Importing the IDs of another system: which rule matches what, what is refused, and what is published."""

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from audioae.errors import ConfigError, SearchError
from audioae.library.generation import Generation
from audioae.pipeline.alias_matching import MatchOptions
from audioae.pipeline.aliases import Imported, import_aliases, list_aliases, remove_aliases, write_unmatched
from audioae.store.dataset import Store
from tests.stores import made_store

MBID = "5fee3020-513b-48c2-b1f7-4681b01db0c{}"
COLUMNS = {
    "uri": [f"/nas/{band}/Live/{i}.flac" for i, band in enumerate(["A", "A", "B", "B", "C", "C"])],
    "title": ["One", "Don’t Stop (Live)", "Three", "Three", "Café", "Intro"],
    "artist": ["Ann", "Ann", "Bob", "Bob", "Eve", "Eve"],
    "album": ["X", "X", "Y", "Y", "Z", "Z"],
    "duration_s": [100.0, 200.0, 300.0, 300.0, None, 50.0],
    "isrc": ["USRC17607839", None, "GBAYE0601498", "GBAYE0601498", None, None],
    "musicbrainz_id": [None, MBID.format(1), None, None, MBID.format(4), None],
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Six tracks, of which t03 is byte-identical to t02."""
    return made_store(tmp_path / "store", 6, same_bytes={3: 2}, columns=COLUMNS)


def put(store: Store, rows: list[dict[str, Any]], namespace: str = "navidrome", **options: Any) -> Imported:
    path = Path(store.root).parent / "rows.csv"
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return import_aliases(store, str(path), namespace, **options)


def rows(store: Store) -> list[tuple[str, ...]]:
    return [tuple(row.values())[1:] for row in store.read(store.require("aliases")).to_pylist()]


def test_each_rule_matches(store: Store):
    done = put(
        store,
        [
            {"external_id": "by id", "track_id": "t05", "isrc": "USRC17607839"},
            {"external_id": "by isrc", "isrc": "us-rc1-76-07839", "path": "/m/C/Live/5.flac"},
            {"external_id": "by mb", "musicbrainz_id": MBID.format(4).upper()},
            {"external_id": "by path", "track_id": "gone", "isrc": "nonsense", "path": "/m/A/Live/1.flac"},
            {"external_id": "by text", "title": "INTRO!", "artist": " eve ", "duration_s": 51.9},
            {"external_id": "none", "title": "Intro", "artist": "Eve", "duration_s": 52.1, "isrc": "USRC17607838"},
            {"external_id": "empty"},
        ],
    )
    assert done.matched == {"track_id": 1, "isrc": 1, "musicbrainz": 1, "path": 1, "metadata": 1}
    assert rows(store) == [
        ("by id", "t05", "track_id"),
        ("by isrc", "t00", "isrc"),
        ("by mb", "t04", "musicbrainz"),
        ("by path", "t01", "path"),
        ("by text", "t05", "metadata"),
    ]
    assert done.unmatched["external_id"].to_pylist() == ["none", "empty"]
    assert done.reasons == {"isrc: no track; metadata: no track": 1, "nothing to find a track by": 1}
    assert Generation(store).aliases.track_id("navidrome", "by path") == "t01"


def test_copies_of_the_same_bytes_are_one_track(store: Store):
    third = {"title": "three", "artist": "bob", "duration_s": 299}
    done = put(store, [{"external_id": "1", "isrc": "GBAYE0601498"}, {"external_id": "2", **third}])
    assert (done.matched, rows(store)) == (
        {"isrc": 1, "metadata": 1},
        [("1", "t02", "isrc"), ("2", "t02", "metadata")],
    )
    put(store, [{"external_id": "copy", "path": "/m/B/Live/3.flac"}])
    assert rows(store) == [("copy", "t03", "path")]


def test_several_tracks_are_none_unless_the_album_says_which(tmp_path: Path):
    twice = {"title": ["Song"] * 3, "artist": ["Ann"] * 3, "album": ["X", "Best", None], "duration_s": [60.0, 61.0, 90]}
    isrc = {"isrc": ["USRC17607839", "USRC17607839", None]}
    store = made_store(tmp_path / "store", 3, columns={**twice, **isrc})
    song = {"title": "song", "artist": "ann"}
    done = put(
        store,
        [
            {"external_id": "1", "isrc": "USRC17607839", **song, "duration_s": 60},
            {"external_id": "2", "isrc": "USRC17607839", **song, "duration_s": 60, "album": "best"},
            {"external_id": "3", **song, "duration_s": 60, "album": "Unknown"},
            {"external_id": "4", **song, "duration_s": 88.5},
            {"external_id": "5", **song, "duration_s": 75},
        ],
    )
    assert rows(store) == [("2", "t01", "metadata"), ("4", "t02", "metadata")]
    assert done.reasons == {
        "isrc: several tracks; metadata: several tracks": 1,
        "metadata: several tracks": 1,
        "metadata: no track": 1,
    }
    exact = put(store, [{"external_id": "1", **song, "duration_s": 60}], options=MatchOptions(duration_tolerance_s=0.5))
    assert exact.matched == {"metadata": 1}


def test_texts_are_compared_without_case_form_spaces_and_punctuation(store: Store):
    same = {"title": "DON'T  STOP [live]", "artist": "Ａｎｎ", "duration_s": 200}
    assert put(store, [{"external_id": "1", **same}]).matched == {"metadata": 1}
    assert rows(store) == [("1", "t01", "metadata")]


def test_an_id_means_one_track_and_a_track_may_have_several(store: Store):
    done = put(
        store,
        [
            {"external_id": "b", "track_id": "t00"},
            {"external_id": "a", "track_id": "t00"},
            {"external_id": "b", "track_id": "t00"},
            {"external_id": "b", "track_id": "gone"},
            {"external_id": "c", "track_id": "t02"},
            {"external_id": "c", "track_id": "t03"},
        ],
    )
    assert rows(store) == [("a", "t00", "track_id"), ("b", "t00", "track_id"), ("c", "t02", "track_id")]
    assert done.unmatched.num_rows == 0, "its ID has a track"
    two = [{"external_id": "x", "track_id": "t00"}, {"external_id": "x", "track_id": "t01"}]
    with pytest.raises(ConfigError, match="1 rows give an external_id a second track; 'x': t00 in row 1, t01 in row 2"):
        put(store, two)


def test_a_namespace_is_replaced_or_completed(store: Store):
    one, two = {"external_id": "1", "track_id": "t00"}, {"external_id": "2", "track_id": "t01"}
    first = put(store, [one, two])
    assert put(store, [two, one]).ref == first.ref, "the same aliases publish nothing"
    put(store, [one], namespace="jellyfin")
    assert store.read(store.require("aliases")).num_rows == 3
    put(store, [{"external_id": "2", "track_id": "t05"}, {"external_id": "3", "track_id": "t02"}], add=True)
    aliases = Generation(store).aliases
    assert [aliases.track_id("navidrome", one) for one in "123"] == ["t00", "t05", "t02"]
    put(store, [two])
    assert Generation(store).aliases.external_ids("navidrome", ["t00", "t01"]) == [None, "2"]
    assert Generation(store).aliases.external_ids("jellyfin", ["t00", "t01"]) == ["1", None]


def test_listed_and_removed(store: Store):
    assert list_aliases(store) == []
    put(store, [{"external_id": "1", "track_id": "t00"}, {"external_id": "2", "path": "/m/A/Live/1.flac"}])
    (row,) = list_aliases(store)
    assert (row["namespace"], row["aliases"], row["in_catalog"]) == ("navidrome", 2, 2)
    assert (row["matched_by"], row["tracks"]) == ({"track_id": 1, "path": 1}, str(store.require("tracks")))
    with pytest.raises(SearchError, match=r"no namespace 'plex' of aliases in .*; it has: navidrome"):
        remove_aliases(store, "plex")
    remove_aliases(store, "navidrome")
    assert list_aliases(store) == []


def test_a_dry_run_publishes_nothing(store: Store):
    done = put(store, [{"external_id": "1", "track_id": "t00"}], dry_run=True)
    assert (done.ref, done.matched, store.latest("aliases")) == (None, {"track_id": 1}, None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"path": "/m/x/y.flac"}, "none of its 1 rows means a track of tracks@.* Its paths are like '/m/x/y.flac', the "
                                  "catalog's like '/nas/A/Live/0.flac': --strip-prefix"),
        ({"isrc": "USRC17607838"}, r"\(1 rows: isrc: no track\). Nothing was imported. Is it a list of the same music"),
    ],
)  # fmt: skip
def test_what_matches_nothing_is_refused(store: Store, row: dict[str, str], message: str):
    with pytest.raises(ConfigError, match=message):
        put(store, [{"external_id": "1", **row}])
    assert store.latest("aliases") is None


def test_a_catalog_without_such_ids_says_so(tmp_path: Path):
    store = made_store(tmp_path / "store", 2)
    with pytest.raises(ConfigError, match="No track of the catalog has isrc: add path, or title, artist"):
        put(store, [{"external_id": "1", "isrc": "USRC17607839"}])


def test_a_name_of_a_namespace(store: Store):
    with pytest.raises(ConfigError, match="namespace 'a:b': wanted up to 64 letters"):
        put(store, [{"external_id": "1", "track_id": "t00"}], namespace="a:b")


def test_unmatched_rows_are_a_csv_without_formulas(tmp_path: Path):
    table = pa.table({"external_id": ["=1+1", 'a"b'], "duration_s": [1.5, None], "reason": ["isrc: no track"] * 2})
    write_unmatched(table, str(tmp_path / "out.csv"))
    with (tmp_path / "out.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [["'=1+1", "1.5", "isrc: no track"], ['a"b', "", "isrc: no track"]]


def test_edited_tags_keep_aliases_and_a_removed_track_is_counted(store: Store):
    put(store, [{"external_id": "1", "track_id": "t00"}, {"external_id": "2", "track_id": "t05"}])
    tracks = store.read(store.require("tracks")).slice(0, 5)
    store.write_part("tracks", "000000-fewer", tracks)
    store.commit("tracks", ["000000-fewer"], recipe="fewer", config={})
    (row,) = list_aliases(store)
    assert (row["aliases"], row["in_catalog"]) == (2, 1)
