"""A record is both: attributes for type checkers, a mapping for everybody else."""

import os

import pytest

from audioae.library.records import Track
from audioae.similarity.answer import Answer, Neighbor
from audioae.store.schemas import TRACKS

NEIGHBOR = Neighbor(1, 0.75, "0a", "A <b>", "B", None, "Folk", "/music/a.mp3")


def test_a_record_is_a_mapping():
    assert NEIGHBOR["track_id"] == NEIGHBOR.track_id == "0a"
    assert list(NEIGHBOR) == ["rank", "score", "track_id", "title", "artist", "album", "label", "uri"]
    assert dict(NEIGHBOR)["album"] is None
    assert len(NEIGHBOR) == 8
    assert NEIGHBOR.get("nothing", "other") == "other"
    with pytest.raises(KeyError, match="nothing"):
        NEIGHBOR["nothing"]


def test_records_are_equal_by_their_values():
    assert Track(track_id="a") == Track(track_id="a")
    assert Track(track_id="a") != Track(track_id="b")
    assert dict(NEIGHBOR) == NEIGHBOR


def test_methods_are_no_keys():
    with pytest.raises(KeyError):
        NEIGHBOR["keys"]


def test_an_answer_becomes_arrow_pandas_and_html():
    pytest.importorskip("pandas")
    answer = Answer([Track(title="<i>Seed</i>")], [NEIGHBOR], 5)
    assert answer.to_arrow().to_pylist() == [dict(NEIGHBOR)]
    assert answer.to_pandas()["score"].tolist() == [0.75]
    page = answer._repr_html_()
    assert "A &lt;b&gt;" in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert len(answer) == 1


def test_a_track_has_every_column_of_the_catalog():
    assert list(Track()) == TRACKS.names


def test_the_path_of_a_name_that_is_not_utf8_are_its_bytes():
    track = Track(uri="/music/caf\\xe9.mp3", path_bytes=b"/music/caf\xe9.mp3")
    assert os.fsencode(track.path) == b"/music/caf\xe9.mp3"
    assert Track(uri="/music/a.mp3").path == "/music/a.mp3"
