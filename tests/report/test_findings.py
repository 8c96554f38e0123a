"""Findings are grouped, sorted by score, and have an excerpt where the check says to listen."""

import pytest

from audioae.api import Library
from audioae.pages.report_page import ReportData
from audioae.store.dataset import Store
from tests.pages.made import EVIL


@pytest.fixture
def checks(data: ReportData) -> dict:
    return {check["check"]: check for check in data.checks}


def test_every_check_counts_its_tracks(checks: dict):
    assert list(checks) == ["mislabeled", "corrupt", "duplicate"]
    mislabeled = checks["mislabeled"]
    assert (mislabeled["n_tracks"], mislabeled["n_issues"], mislabeled["n_unknown"]) == (5, 3, 1)
    assert (mislabeled["n_findings"], mislabeled["threshold"]) == (2, 0.5)
    assert mislabeled["title"].startswith("Mislabeled: ")


def test_group_is_one_finding_with_the_evidence_of_its_worst_track(checks: dict):
    album, alone = checks["mislabeled"]["findings"]
    assert (album["group"], album["n_members"], album["evidence"]["why"]) == ("album: One", 2, "the worst")
    assert [member["score"] for member in album["members"]] == pytest.approx([0.1, 0.2])
    assert alone["neighbors"][0]["label"] == EVIL
    assert (album["suggestion"], alone["suggestion"]) == ("", EVIL)


def test_excerpt_starts_where_the_check_says_to_listen(checks: dict, data: ReportData):
    timed, unknown = (finding["members"][0]["key"] for finding in checks["corrupt"]["findings"])
    assert data.tracks[timed].start_s == 2.5
    assert data.tracks[timed].clip
    assert data.tracks[unknown].title == "no such track"
    assert data.tracks[unknown].clip is None
    ranges = checks["duplicate"]["findings"][1]
    assert data.tracks[ranges["members"][0]["key"]].start_s == 1.5


def test_copies_begin_with_the_one_to_keep(checks: dict, data: ReportData, store: Store):
    ids = Library(store).tracks["track_id"].to_pylist()
    copy = checks["duplicate"]["findings"][0]
    assert copy["suggestion"] == ""
    assert [entry["keep"] for entry in copy["copies"]] == [True, False]
    assert data.tracks[copy["copies"][0]["key"]].uri == Library(store).find(ids[7])["uri"]
