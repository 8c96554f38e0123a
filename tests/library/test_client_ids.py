"""A catalog as a client sees it, without and with a namespace."""

import pytest

from audioae.api import Library
from audioae.errors import UnknownTrackError
from audioae.library.client_ids import ClientIds
from audioae.library.filters import Filters
from audioae.similarity.search import Options
from tests.library.test_aliases import import_rows
from tests.stores import made_store


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    store = made_store(tmp_path_factory.mktemp("ids") / "store", 4)
    import_rows(store, "some", [("a", "t01"), ("b", "t03"), ("c", "t03")])
    import_rows(store, "all", [(f"id {i}", f"t{i:02d}") for i in range(4)])
    return Library(store)


def test_without_a_namespace_ids_are_track_ids(library: Library):
    ids = library.client_ids()
    assert (ids.track_id("t02"), ids.of(["t02", "t00"]), ids.known, ids.filters) == (
        "t02",
        ["t02", "t00"],
        None,
        Filters(),
    )
    assert ids.track("t02").title == "Title 2"
    for unknown in ("a", "", "Title 2", "/music/t02.mp3"):
        with pytest.raises(UnknownTrackError, match="for the IDs of another system, import its aliases"):
            ids.track_id(unknown)


def test_with_a_namespace_they_are_its_aliases(library: Library):
    ids = library.client_ids("some")
    assert (ids.track_id("a"), ids.track_id("c")) == ("t01", "t03")
    assert ids.of(["t00", "t01", "t03"]) == [None, "a", "b"]
    assert ids.known is not None
    assert ids.known.tolist() == [False, True, False, True]
    options = Options(filters=ids.filters)
    assert [n.track_id for n in library.similar("t01", 3, options=options).neighbors] == ["t03"]
    with pytest.raises(UnknownTrackError, match="no alias 't01'"):
        ids.track_id("t01")


def test_a_namespace_that_has_every_track_filters_nothing(library: Library):
    assert library.client_ids("all").known is None
    assert not library.client_ids("all").filters
    assert library.client_ids("all").of(["t02"]) == ["id 2"]


def test_one_view_per_namespace_and_generation(library: Library):
    assert library.client_ids("some") is library.client_ids("some")
    assert isinstance(library.client_ids("none"), ClientIds)
    known = library.client_ids("none").known
    assert known is not None
    assert not known.any()
