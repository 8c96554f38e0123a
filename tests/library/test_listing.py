"""Pages, counts and stored embeddings of the indexed tracks of made stores."""

from pathlib import Path

import numpy as np
import pytest

from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.library.listing import count_tracks, count_values, embeddings_at, page_of_tracks
from audioae.library.predicates import OneOf, Within
from tests.bench.made_catalog import million
from tests.stores import made_store


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """12 tracks: t05 has the bytes of t02, t07 was rejected, t11 is not embedded yet; labels alternate."""
    folder = tmp_path_factory.mktemp("listing")
    return Generation(made_store(folder, copies={4: 1}, same_bytes={5: 2}, rejected=[7], pending=[11]))


def ids_of(library: Generation, rows: np.ndarray) -> list[str]:
    return [library.tracks["track_id"][int(row)].as_py() for row in rows]


ODD = Filters(where=OneOf("label", ("style 1",)))


def test_pages_hold_every_indexed_track_once_in_order(library: Generation):
    first = page_of_tracks(library, 4)
    assert (ids_of(library, first.rows), first.next_id) == (["t00", "t01", "t02", "t03"], "t04")
    second = page_of_tracks(library, 4, start="t04")
    assert (ids_of(library, second.rows), second.next_id) == (["t04", "t05", "t06", "t08"], "t09")
    third = page_of_tracks(library, 4, start="t09")
    assert (ids_of(library, third.rows), third.next_id) == (["t09", "t10"], None)


def test_a_page_may_start_between_tracks_and_behind_the_last(library: Generation):
    assert ids_of(library, page_of_tracks(library, 2, start="t025").rows) == ["t03", "t04"]
    assert ids_of(library, page_of_tracks(library, 2, start="").rows) == ["t00", "t01"]
    behind = page_of_tracks(library, 2, start="zz")
    assert (ids_of(library, behind.rows), behind.next_id) == ([], None)


def test_a_filtered_page_knows_what_comes_next_of_what_passes(library: Generation):
    page = page_of_tracks(library, 3, filters=ODD)
    assert (ids_of(library, page.rows), page.next_id) == (["t01", "t03", "t04"], "t05")
    page = page_of_tracks(library, 3, start="t05", filters=ODD)
    assert (ids_of(library, page.rows), page.next_id) == (["t05", "t09"], None)


def test_counts(library: Generation):
    assert count_tracks(library) == 10
    assert count_tracks(library, ODD) == 5
    assert count_tracks(library, Filters(where=OneOf("label", ("no such label",)))) == 0
    assert count_tracks(library, Filters(where=Within("year", gt=0))) == 0


def test_counts_of_values_are_of_indexed_tracks(library: Generation):
    assert count_values(library, "label") == {"style 0": 5, "style 1": 5}
    assert count_values(library, "label", ODD) == {"style 1": 5}
    assert count_values(library, "year") == {}


def test_embeddings_from_the_parts_are_those_of_the_index(tmp_path: Path):
    library = Generation(million(tmp_path, 300))
    rows = library.alignment.by_index[[250, 3, 3, 299, 17]]
    copy = int(np.flatnonzero(library.tracks["duplicate_of"].is_valid().to_numpy())[0])
    rows = np.append(rows, copy)
    from_index = embeddings_at(library, rows)
    assert from_index.shape == (6, 128)
    assert from_index.dtype == np.float32
    library.index._kept = None  # as an index that holds only codes
    assert np.array_equal(embeddings_at(library, rows), from_index)
    assert embeddings_at(library, rows[:0]).shape == (0, 128)
