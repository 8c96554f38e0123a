"""Findings as pages of a library."""

import pytest

from audioae.api import Library
from audioae.errors import NotScreenedError, SearchError
from audioae.pipeline.index import build_index
from audioae.screening.findings import open_findings
from audioae.search.factory import IndexConfig
from tests.screening.made import screen
from tests.stores import made_store


def test_pages_are_the_list(store, fake_calls):
    screen(store)
    library, opened = Library(store), open_findings(store)
    rows, _ = opened.worst("corrupt", 100)
    pages = [library.findings("corrupt", 5, offset) for offset in range(0, 25, 5)]
    assert [row for page in pages for row in page.worst] == rows
    assert [row["rank"] for row in pages[1].worst] == [6, 7, 8, 9, 10]
    assert {page.total for page in pages} == {len(rows)} == {opened.count("corrupt")}
    assert library.findings("corrupt", issues_only=True).total == 8
    overview = library.findings()
    assert (overview.checks, overview.check, list(overview.worst)) == (opened.overview(), None, [])
    assert (overview.findings, overview.screened) == (str(opened.ref), str(library.index_ref))


def test_judged_fine_is_counted_and_not_listed(store, fake_calls, tmp_path):
    path = tmp_path / "worst.csv"
    path.write_text("check,track_id,verdict\ncorrupt,t13,fine\n")
    screen(store, verdicts=str(path))
    page = Library(store).findings("corrupt", 100)
    assert "t13" not in [row["track_id"] for row in page.worst]
    assert (page.judged_fine, page.total) == (1, len(page.worst))


def test_newer_findings_are_read_and_another_index_is_named(tmp_path, fake_calls):
    store = made_store(tmp_path / "store", 40)
    first = screen(store)
    library = Library(store)
    assert (library.findings().findings, library.findings().outdated) == (str(first), None)
    build_index(store, IndexConfig(factory="HNSW32"), store.require("embeddings"))
    second = screen(store)
    got = library.findings()
    assert got.findings == str(second) != str(first)
    assert got.outdated == (
        f"these findings are about {store.require('index')}, this index is {library.index_ref}: run `audioae run "
        "screen CONFIG`"
    )
    assert Library(store).findings().outdated is None


def test_what_cannot_be_listed(store, fake_calls):
    with pytest.raises(NotScreenedError, match="the store has no findings yet; run `audioae run screen CONFIG`"):
        Library(store).findings()
    screen(store)
    for check, limit, sentence in (("polka", 1, "no findings of check 'polka'"), ("corrupt", 0, "limit=0")):
        with pytest.raises(SearchError, match=sentence):
            Library(store).findings(check, limit)
    with pytest.raises(SearchError, match="offset=-1"):
        Library(store).findings("corrupt", 5, -1)
