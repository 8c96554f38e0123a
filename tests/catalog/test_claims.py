"""Claims that say nothing are none, and all spellings of a label are one."""

import os
from pathlib import Path

import pytest
from mutagen.flac import FLAC

from audioae.catalog.claims import clean_artist, clean_title, spellings
from audioae.catalog.scan import CatalogConfig
from tests.catalog.made import scan, scan_rows, write, write_csv


def tagged(path: Path, seed: int = 0, **tags: str | list[str]) -> Path:
    file = FLAC(write(path, seed))
    file.update({name: value if isinstance(value, list) else [value] for name, value in tags.items()})
    file.save()
    return path


def labels(table) -> dict[str, str]:
    return {os.path.basename(row["uri"]): row["label"] for row in table.to_pylist()}


NOBODY = [
    "Unknown Artist",
    "unknown",
    "Various Artists",
    "VA",
    "V.A.",
    "<unknown>",
    "[Unknown Artist]",
    "N/A",
    "-",
    " ",
]


@pytest.mark.parametrize("name", NOBODY)
def test_a_name_of_nobody_is_no_artist(name: str):
    assert clean_artist(name) is None


@pytest.mark.parametrize("name", ["Vast", "The Various", "Unknown Mortal Orchestra", "Van", "N.A.S.A."])
def test_a_name_that_resembles_it_is_an_artist(name: str):
    assert clean_artist(name) == name


@pytest.mark.parametrize(
    "title", ["Track 01", "track 7", "Track_12", "TRACK03", "AudioTrack 04", "<unknown>", "Piste 2"]
)
def test_a_number_is_no_title(title: str):
    assert clean_title(title) is None


@pytest.mark.parametrize("title", ["Track 01 (Remix)", "Soundtrack 1", "Track Suit", "7", "Track 1234"])
def test_a_title_that_resembles_it_is_one(title: str):
    assert clean_title(title) == title


def test_a_scan_shows_the_stem_for_such_a_title_and_nobody_for_such_an_artist(tmp_path: Path):
    tagged(tmp_path / "song.flac", title="Track 01", artist="Various Artists", album="Unknown Album")
    (row,) = scan_rows(tmp_path)
    assert [row[name] for name in ("title", "artist", "artists", "album")] == ["song", None, None, None]
    manifest = write_csv(tmp_path / "m.csv", "path,title,artist", "song.flac,Track 01,VA")
    (row,) = scan_rows(manifest)
    assert [row[name] for name in ("title", "artist", "artists")] == ["song", None, None]


def test_spellings_of_a_label_are_one_label(tmp_path: Path):
    spellings = ["Rock", "rock", "ROCK ", "Post  Rock", "post rock", "Électro", "E\u0301lectro"]
    for i, label in enumerate(spellings):
        tagged(tmp_path / f"{i}.flac", i, genre=label)
    shown = [row["label"] for row in scan_rows(tmp_path)]
    assert shown == ["Rock", "Rock", "Rock", "Post  Rock", "Post  Rock", "Électro", "Électro"]
    rows = (f"{i}.flac,{label}" for i, label in enumerate(spellings))
    manifest = write_csv(tmp_path / "m.csv", "path,label", *rows)
    assert [row["label"] for row in scan_rows(manifest)] == shown


def test_a_label_keeps_its_spelling_when_the_catalog_grows(tmp_path: Path):
    config = CatalogConfig(source=str(tmp_path))
    tagged(tmp_path / "b.flac", genre="Rock")
    first = scan(config)
    tagged(tmp_path / "a.flac", 1, genre="ROCK")
    tagged(tmp_path / "c.flac", 2, genre=["rock", "Pop"])
    second = scan(config, first)
    assert labels(second) == {"a.flac": "Rock", "b.flac": "Rock", "c.flac": "Rock"}
    assert second["genres"].to_pylist() == [["Rock"], ["Rock"], ["Rock", "Pop"]]
    assert scan(config, second).equals(second)


def test_a_spelling_that_no_file_has_any_more_is_not_kept():
    assert spellings(["Rock"], earlier=["rock"]) == {}


def test_a_label_is_split_only_if_asked(tmp_path: Path):
    tagged(tmp_path / "a.flac", genre="Rock/Pop")
    (row,) = scan_rows(tmp_path)
    assert (row["label"], row["genres"]) == ("Rock/Pop", ["Rock/Pop"])
    (row,) = scan_rows(tmp_path, label_separators="/")
    assert (row["label"], row["genres"]) == ("Rock", ["Rock", "Pop"])
    (row,) = scan_rows(write_csv(tmp_path / "m.csv", "path,label", "a.flac,Rock; Pop ;rock"), label_separators=";")
    assert (row["label"], row["genres"]) == ("Rock", ["Rock", "Pop"])
