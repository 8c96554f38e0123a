"""The page of a store shows every section that has data, a reason for the others, and never runs what a tag says."""

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from audioae.errors import EvaluationError
from audioae.pages.layout import pca_layout
from audioae.pages.report_page import ReportData, render_report
from tests.pages.made import EVIL, HtmlReader, check_page, sections_of, unavailable
from tests.pages.report_data import FULL, SUMS, TRACKS, VECTORS

ANCHORS = "catalog training reconstructions map findings neighbors playlists exposure index recommendations"


@pytest.fixture(scope="module")
def html() -> str:
    with pytest.MonkeyPatch.context() as patch:  # t-SNE takes seconds and has its own tests
        patch.setattr("audioae.pages.map_sections.tsne_layout", lambda vectors: pca_layout(vectors)[0])
        return render_report(FULL)


def test_full_page_has_every_section_and_all_values(html: str):
    reader = HtmlReader(html)
    assert reader.anchors == [*ANCHORS.split(), "omitted"]
    assert unavailable(html) == []
    for shown in ("tracks@ab12", "index@cd34", "2026-11-21", "0.656", "80.0 %", "from 1:01.5", "confidence 0.83"):
        assert shown in reader.text, shown


def test_page_is_safe_and_offline(html: str):
    reader = check_page(html)
    assert reader.raw_text.count(EVIL) > 25


def test_empty_store_has_a_reason_in_every_section():
    reasons = {"findings": "it was not screened", "index": "no index"}
    page = render_report(ReportData("s", "2026-11-21", {}, SUMS, missing=reasons))
    reader = check_page(page)
    assert reader.anchors == ANCHORS.split()
    assert len(unavailable(page)) == 9
    assert set(reasons.values()) < set(unavailable(page))
    assert reader.all("svg", "map") == []


@pytest.mark.parametrize(
    ("change", "anchor"),
    [
        ({"metrics": []}, "training"),
        ({"reconstructions": None}, "reconstructions"),
        ({"checks": []}, "findings"),
        ({"walks": []}, "playlists"),
        ({"gate": None}, "index"),
        ({"listeners": []}, "recommendations"),
    ],
)
def test_missing_part_has_its_reason_in_its_section(
    change: dict[str, Any], anchor: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("audioae.pages.map_sections.tsne_layout", lambda vectors: None)
    sections = sections_of(render_report(replace(FULL, **change, missing={anchor: "for a reason"})))
    assert [name for name, body in sections.items() if "Not available" in body] == [anchor]
    assert "for a reason" in sections[anchor] or anchor == "reconstructions"


def test_heading_levels_are_not_skipped(html: str):
    levels = [int(tag[1]) for tag, _ in HtmlReader(html).elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_button_has_a_track_that_the_script_knows(html: str):
    keys = {attrs["data-row"] for attrs in HtmlReader(html).all("button") if "data-row" in attrs}
    assert "x1" in keys
    assert keys <= {str(key) for key in TRACKS}


def test_rejects_unknown_tracks_and_infinite_vectors():
    with pytest.raises(EvaluationError, match=r"tracks \['3'\] are shown but missing"):
        replace(FULL, tracks={key: track for key, track in TRACKS.items() if key != 3})
    with pytest.raises(EvaluationError, match="all finite"):
        replace(FULL, vectors=VECTORS * np.nan)
