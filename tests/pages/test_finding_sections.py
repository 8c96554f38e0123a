"""A finding is one card with what a person needs to judge it, whatever its evidence looks like."""

from typing import Any

import pytest

from audioae.pages.finding_sections import findings
from audioae.pages.shell import PageTrack
from tests.pages.made import HtmlReader, text_of
from tests.pages.report_data import CHECK, FINDING, TRACKS


def html_of(check: dict[str, Any], tracks: dict[int | str, PageTrack] = TRACKS) -> str:
    return str(findings([check], tracks, "").body)


def with_finding(**change: Any) -> dict[str, Any]:
    return CHECK | {"findings": [FINDING | change]}


def test_group_is_one_card_with_its_number_of_tracks():
    html = html_of(CHECK)
    text = text_of(html)
    assert html.count("<article") == 1
    assert "9 tracks in one finding" in text
    assert "and 7 more" in text
    assert "The check flags 9 of 16 tracks (score below 0.40). It cannot tell for 2." in text
    assert "Shown: the worst 1 of 3 findings." in text


def test_check_that_could_not_run_says_why():
    check = CHECK | {"n_tracks": 0, "n_issues": 0, "n_unknown": 0, "findings": [], "omitted": ["no labels"]}
    text = text_of(html_of(check))
    assert "No track was checked." in text
    assert "no labels" in text
    assert "flags" not in text


def test_self_test_is_a_sentence_and_its_figures_are_folded():
    sentence = "Self-test: the check found 87 % of them."
    html = html_of(CHECK | {"accuracy": [sentence]})
    assert sentence in text_of(html)
    assert "<details open>" not in html
    assert "<details open>" in html_of(CHECK | {"accuracy": []})


def test_check_of_an_unknown_version_has_its_name_as_title():
    check = {name: value for name, value in CHECK.items() if name not in ("title", "accuracy")}
    assert "<h3>mislabeled</h3>" in html_of(check)


def test_copies_say_which_one_to_keep():
    copies = [{"key": 2, "keep": False}, {"key": "x1", "keep": True}]
    html = html_of(with_finding(copies=copies, evidence={}, neighbors=[], n_members=1, group=""))
    assert html.count("keep: ") == 1
    assert html.index("<b>Title 2") < html.index("<b>keep: ")
    assert "also in this finding" not in html


def test_track_without_sound_says_so():
    assert "no audio" in html_of(CHECK, {**TRACKS, "x1": PageTrack("gone")})
    assert "no audio" not in html_of(CHECK)


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"rules": 3, "why": None, "answer": None},
        {"rules": ["a rule"], "why": ["not", "text"], "listen_s": "soon"},
        {"rules": [{"value": None}], "verdict": 1},
    ],
)
def test_evidence_of_another_shape_is_shown_or_skipped(evidence: dict[str, Any]):
    html = html_of(with_finding(evidence=evidence, confidence=None, suggestion=""))
    assert html.count("<article") == 1
    assert "None" not in HtmlReader(html).text


def test_unknown_evidence_is_folded_into_a_table():
    html = html_of(with_finding(evidence={"margins": {"jazz": -0.42}}))
    assert "More evidence" in html
    assert "−0.42" in html
