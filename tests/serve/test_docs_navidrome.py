"""The queries of docs/serve-navidrome.md on a database with Navidrome's columns: the import reads what they give.

Source: navidrome/navidrome, `model/mediafile.go` and `db/migrations/20241026183640_support_new_scanner.go`: the columns
of `media_file` and `artist`; since then paths begin at the library's folder.
"""

import csv
import re
import sqlite3
from pathlib import Path

import pytest

from audioae.pipeline.alias_files import read_alias_file

PAGE = Path(__file__).parents[2] / "docs" / "serve-navidrome.md"
DATABASE = """
create table media_file (
    id varchar primary key, path varchar not null, title varchar not null, artist varchar not null,
    album varchar not null, artist_id varchar not null, duration real default 0 not null,
    mbz_recording_id varchar, missing boolean default false not null);
create table artist (id varchar primary key, name varchar not null);
insert into artist values ('a1', 'Nova'), ('a2', 'Low, "quoted"');
insert into media_file values
    ('m1', 'b/one.mp3', 'One', 'Nova', 'X', 'a1', 180.25, '', false),
    ('m2', 'a/two.mp3', 'Two, too', 'Nova feat. Low', 'X', 'a1', 90, 'd03bff61-26fc-301b-98ac-4d8e85771cbc', false),
    ('m3', 'c/three.mp3', 'Three', 'Low, "quoted"', '', 'a2', 12, '', false),
    ('m4', 'gone.mp3', 'Gone', 'Nova', '', 'a1', 1, '', true);
"""


def exported(query: str, target: Path) -> list[dict]:
    """What `sqlite3 -header -csv` writes, as the import reads it."""
    database = sqlite3.connect(":memory:")
    database.executescript(DATABASE)
    cursor = database.execute(query)
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(column[0] for column in cursor.description)
        writer.writerows(cursor)
    return read_alias_file(str(target)).sort_by("external_id").to_pylist()


@pytest.fixture(scope="module")
def queries() -> list[str]:
    return re.findall(r'navidrome\.db "(.*?)" > ', PAGE.read_text(), re.DOTALL)


def test_tracks(queries: list[str], tmp_path: Path):
    first, second, third = exported(queries[0], tmp_path / "navidrome.csv")
    assert first == {
        "external_id": "m1",
        "path": "b/one.mp3",
        "title": "One",
        "artist": "Nova",
        "album": "X",
        "duration_s": 180.25,
        "musicbrainz_id": None,
    }
    assert second["musicbrainz_id"] == "d03bff61-26fc-301b-98ac-4d8e85771cbc"
    assert (third["external_id"], third["artist"], third["album"]) == ("m3", 'Low, "quoted"', None)


def test_a_track_of_each_artist_that_has_its_name(queries: list[str], tmp_path: Path):
    rows = exported(queries[1], tmp_path / "artists.csv")
    assert [(row["external_id"], row["path"], row["title"], row["artist"]) for row in rows] == [
        ("a1", "b/one.mp3", "One", "Nova"),
        ("a2", "c/three.mp3", "Three", 'Low, "quoted"'),
    ]
