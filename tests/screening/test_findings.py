"""Reading findings: overview, order, groups, and the CSV for verdicts."""

import csv
from pathlib import Path

import pytest

from audioae.errors import SearchError, StoreError
from audioae.screening import accuracy, findings
from audioae.screening.findings import open_findings, write_list
from audioae.screening.registry import CHECKS
from audioae.store.dataset import Store
from tests.screening.made import N, fill_in, make_store, screen


def listed(store: Store, check: str = "corrupt", budget: int = 99, **options) -> list[str]:
    return [row["track_id"] for row in open_findings(store).worst(check, budget, **options)[0]]


def test_overview_has_the_registrys_titles_and_sentences_on_accuracy(store, fake_calls):
    screen(store)
    corrupt, duplicate = open_findings(store).overview()
    assert corrupt["title"] == CHECKS["corrupt"].title
    assert (corrupt["screened"], corrupt["issues"], corrupt["findings"], corrupt["cannot tell"]) == (20, 10, 8, 1)
    assert corrupt["accuracy"] == ["Self-test: held out auroc 0.5"]
    assert duplicate["accuracy"] == ["The catalog contains 2 recordings more than once, with 4 copies to remove."]


def test_findings_of_a_check_that_is_no_longer_registered_can_be_read(store, fake_calls, monkeypatch):
    screen(store)
    for module in (findings, accuracy):
        monkeypatch.setattr(module, "CHECKS", {})
    row = open_findings(store).overview()[0]
    assert (row["title"], row["accuracy"]) == ("corrupt", ["Self-test: held out auroc 0.5"])
    assert listed(store)[0] == "t10"


def test_lists_groups_once_up_to_the_budget(store, fake_calls):
    screen(store)
    rows, n_fine = open_findings(store).worst("corrupt", 3)
    assert [(row["rank"], row["track_id"], row["tracks"], row["issues"]) for row in rows] == [
        (1, "t10", 3, 3),
        (2, "t13", 1, 1),
        (3, "t14", 1, 1),
    ]
    assert [row["track_id"] for row in rows[0]["members"]] == ["t10", "t11", "t12"]
    assert (rows[0]["title"], rows[0]["why"], n_fine) == ("Title t10", "hum of 0 dB", 0)
    assert listed(store)[-1] == "t29", "tracks without a score come last"
    assert len(listed(store, issues_only=True)) == 8
    with pytest.raises(SearchError, match=r"no findings of check 'generated'; it has findings of: corrupt, duplicate"):
        listed(store, "generated")
    with pytest.raises(SearchError, match="budget=0"):
        listed(store, budget=0)


def test_lists_a_group_as_long_as_one_of_its_tracks_is_an_issue(store, fake_calls, tmp_path):
    path = tmp_path / "worst.csv"
    path.write_text("check,track_id,verdict\ncorrupt,t10,fine\n")
    screen(store, verdicts=str(path))
    rows, n_fine = open_findings(store).worst("corrupt", 1)
    assert [(row["track_id"], row["verdict"]) for row in rows[0]["members"]] == [
        ("t11", None),
        ("t12", None),
        ("t10", "fine"),
    ]
    assert (rows[0]["issues"], n_fine) == (2, 0)


def test_the_csv_survives_strange_tags(store, fake_calls, tmp_path):
    """Characters that some programs take for line breaks, and texts that a spreadsheet would compute."""
    screen(store)
    rows = open_findings(store).worst("corrupt", 2)[0][1:]
    rows[0]["members"][0] |= {"title": "one\u2028two\x0bthree\x85", "artist": "=1+1", "album": "@A", "label": "-3"}
    path = tmp_path / "worst.csv"
    write_list(rows, str(path))
    with path.open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert [row[name] for name in ("artist", "album", "label")] == ["'=1+1", "'@A", "'-3"]
    assert row["title"] == r"one\u2028two\x0bthree\x85"
    fill_in(path, {"t13": "fine"})
    screen(store, verdicts=str(path))
    assert "t13" not in listed(store)


def test_a_csv_that_cannot_be_written_is_one_message(store, fake_calls, tmp_path: Path):
    screen(store)
    with pytest.raises(StoreError, match="name a file in an existing folder"):
        write_list(open_findings(store).worst("corrupt", 1)[0], str(tmp_path / "missing" / "worst.csv"))


def test_a_store_without_findings_says_how_to_get_them(tmp_path):
    with pytest.raises(StoreError, match=r"no findings yet; run `audioae run screen CONFIG`"):
        open_findings(make_store(str(tmp_path), N))
