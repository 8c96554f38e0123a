"""A selection as CSV and M3U8, with titles that mean harm."""

import csv
import io

import pytest

from audioae.api import Library
from audioae.errors import SearchError
from audioae.explore import selection_files
from audioae.explore.selection_files import COLUMNS, as_csv, as_m3u8, track_ids
from tests.explore.made_map import add_map
from tests.stores import made_store

HOSTILE = {
    0: '=HYPERLINK("http://x")',
    1: "two\nlines\r#EXTINF",
    2: 'a "quoted", cell',
    3: "<script>alert(1)</script>",
    4: "@SUM(A1)",
    5: None,
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Library:
    titles = [HOSTILE.get(i, f"Title {i}") for i in range(12)]
    bad = b"/music/caf\xe9.mp3"
    columns = {
        "title": titles,
        "uri": [f"/music/{i}.mp3" for i in range(11)] + ["/music/caf\\xe9.mp3"],
        "path_bytes": [None] * 11 + [bad],
        "duration_s": [None, *[100.4] * 11],
    }
    store = made_store(tmp_path_factory.mktemp("hostile"), 12, columns=columns)
    add_map(store)
    return Library(store)


def lines_of(library: Library, **chosen) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(library.map().select(**chosen)).decode())))


def test_a_csv_has_a_row_per_track(mapped: Library):
    rows = lines_of(mapped, rows=[2, 7, 3])
    assert list(rows[0]) == list(COLUMNS)
    tracks = mapped.map().tracks([2, 3, 7])
    for row, track in zip(rows, tracks, strict=True):
        assert track is not None
        assert row == {
            **{name: "" if track[name] is None else str(track[name]) for name in COLUMNS},
            **{name: f"{track[name]:g}" for name in ("x", "y")},
        }


def test_no_cell_is_computed_and_no_title_ends_a_line(hostile: Library):
    rows = {row["track_id"]: row for row in lines_of(hostile)}
    assert len(rows) == 12
    assert rows["t00"]["title"] == '\'=HYPERLINK("http://x")'
    assert rows["t01"]["title"] == r"two\nlines\r#EXTINF"
    assert rows["t02"]["title"] == 'a "quoted", cell'
    assert rows["t03"]["title"] == "<script>alert(1)</script>"
    assert rows["t04"]["title"] == "'@SUM(A1)"
    assert (rows["t05"]["title"], rows["t00"]["duration_s"]) == ("", "")


def test_an_m3u8_has_an_entry_per_track_that_opens_its_file(hostile: Library):
    opened = hostile.map()
    order = [track["track_id"] for track in opened.tracks(range(12)) if track]
    lines = as_m3u8(opened.select(), "A\n#B").decode().splitlines()
    assert lines[:2] == ["#EXTM3U", "#PLAYLIST:A #B"]
    entries = dict(zip(order, zip(lines[2::2], lines[3::2], strict=True), strict=True))
    assert entries["t00"] == ('#EXTINF:-1,artist 0 - =HYPERLINK("http://x")', "/music/0.mp3")
    assert entries["t01"] == ("#EXTINF:100,artist 1 - two lines #EXTINF", "/music/1.mp3")
    assert entries["t05"] == ("#EXTINF:100,artist 5 - 5", "/music/5.mp3")
    assert entries["t11"][1] == "file:///music/caf%E9.mp3"
    assert len(lines) == 26


def test_track_ids_are_those_of_the_rows(mapped: Library):
    opened = mapped.map()
    ids = track_ids(opened.select(rows=[40, 2, 9]))
    assert opened.rows_of(ids).tolist() == [2, 9, 40]


def test_files_are_written_in_blocks_up_to_a_limit(mapped: Library, monkeypatch: pytest.MonkeyPatch):
    whole = mapped.map().select()
    wanted = as_csv(whole), as_m3u8(whole, "a"), track_ids(whole)
    monkeypatch.setattr(selection_files, "BLOCK", 7)
    assert (as_csv(whole), as_m3u8(whole, "a"), track_ids(whole)) == wanted
    monkeypatch.setattr(selection_files, "MAX_ROWS", 54)
    for write in (as_csv, track_ids, lambda chosen: as_m3u8(chosen, "a")):
        with pytest.raises(SearchError, match="got a selection of 55 tracks, wanted 54 at most; select fewer"):
            write(whole)
