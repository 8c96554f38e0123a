"""Typed seeds mean one thing only, and an answer that is short says why."""

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import NoMatchError, SearchError, UnknownTrackError
from audioae.library.filters import Filters
from audioae.similarity.search import Options
from audioae.similarity.seeds import EmbeddingSeed, FileSeed, TrackSeed, listed
from tests.stores import made_store


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(made_store(tmp_path_factory.mktemp("seeds"), 20, copies={5: 1}, rejected=[9]))


def ids(answer) -> list[str]:
    return [neighbor.track_id for neighbor in answer.neighbors]


def test_a_track_seed_is_a_track_id_and_nothing_else(library: Library):
    assert ids(library.similar(TrackSeed("t01"), 3)) == ids(library.similar("t01", 3))
    assert len(ids(library.similar("Title 1", 3))) == 3
    for text in ("Title 1", "/music/t01.mp3", "t01:2", "", "t0"):
        with pytest.raises(UnknownTrackError, match="no track_id"):
            library.similar(TrackSeed(text), 3)


def test_a_track_seed_never_looks_at_files(library: Library, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(UnknownTrackError):
        library.similar(TrackSeed(str(path)), 3)


def test_weights_count_in_every_kind_of_seed(library: Library):
    first, second = (library.embedding_of(library.find(name)) for name in ("t01", "t02"))
    mixed = library.similar([TrackSeed("t01", 3), TrackSeed("t02")], 18)
    by_text = library.similar(["t01:3", "t02"], 18)
    by_vector = library.similar([EmbeddingSeed(first, 3), EmbeddingSeed(second * 7, 1)], 20)
    assert ids(mixed) == ids(by_text)
    assert [n for n in ids(by_vector) if n not in ("t01", "t02", "t05")] == [n for n in ids(mixed) if n != "t05"]
    with pytest.raises(SearchError, match="numbers above 0"):
        library.similar([TrackSeed("t01", 0), TrackSeed("t02")], 3)


def test_one_seed_is_a_list_of_one(library: Library):
    rows = np.eye(2, 128)
    assert listed("t01") == ["t01"]
    assert listed(TrackSeed("t01")) == [TrackSeed("t01")]
    assert listed(FileSeed("a.mp3")) == [FileSeed("a.mp3")]
    assert listed(("t01", "t02")) == ["t01", "t02"]
    assert len(listed(rows)) == 2
    assert listed(rows[0])[0] is not None
    assert len(listed(rows[0])) == 1


def test_an_answer_that_is_short_says_why(library: Library):
    assert library.similar("t01", 3).short is None
    narrow = library.similar("t01", 15, options=Options(Filters(label=["style 1"]), max_per_artist=1))
    assert len(narrow) == narrow.n_matching - 1 - 1  # t01 and its copy
    assert narrow.short == (
        f"{len(narrow)} instead of 15: {narrow.n_matching} recordings pass the filters; "
        "the seeds, duplicates and tracks beyond 1 per artist are left out"
    )
    everything = library.similar("t01", 100, options=Options(keep_duplicates=True))
    assert everything.short == "18 instead of 100: 19 recordings are indexed; the seeds are left out"
    with pytest.raises(NoMatchError, match="no track of 20 passes all filters"):
        library.similar("t01", 3, options=Options(Filters(year=(1800, 1801))))
