"""The page of a store: every section that there is something for, a sentence for the others, no orders from tags."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from audioae.errors import EvaluationError
from audioae.library.track_metadata import make_metadata
from audioae.pages import finding_sections, list_sections, store_sections
from audioae.pages.charts import curves, stacked_bar, walk_map
from audioae.pages.layout import pca_layout
from audioae.pages.markup import brief
from audioae.pages.neighbors import nearest
from audioae.pages.report_page import ReportData, render_report
from audioae.pages.shell import Shown
from audioae.pages.values import MAX_ROWS, nested

EVIL = "</script><img src=x onerror=alert(1)><b>\"'"
N = 16
RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((N, 8)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
FACTS = make_metadata(
    [f"t{i}" for i in range(N)], labels=["a", "b"] * 8, artists=[EVIL if i < 4 else "Other" for i in range(N)]
)
MEL = np.linspace(-80, 0, 128)[:, None].repeat(130, axis=1)
TRACKS: dict[int | str, Shown] = {i: Shown(f"Title {i}", "Other", "a", MEL, b"sound", 12.0) for i in range(N)}
TRACKS |= {1: Shown(EVIL, EVIL, EVIL, MEL, b"sound"), "x1": Shown(EVIL, EVIL, "b", MEL, b"other sound", 61.5, EVIL)}
SUMS = {
    "n_tracks": 20,
    "embedded": 16,
    "duplicates": 1,
    "rejected": {"not_audio": 2, EVIL: 1},
    "pending": 0,
    "padded": 3,
}
FINDING: dict[str, Any] = {
    "group": EVIL,
    "suggestion": EVIL,
    "confidence": 0.83,
    "evidence": {
        "why": EVIL,
        "answer": EVIL,
        "listen_s": 61.5,
        "rules": [{"rule": EVIL, "value": 1.27, "limit": EVIL, "unit": EVIL}],
        "margins": {EVIL: -0.42},
    },
    "n_members": 9,
    "members": [{"key": "x1", "score": 0.05}, {"key": 2, "score": 0.07}],
    "neighbors": [{"key": 3, "label": EVIL, "score": 0.91}],
    "copies": [],
}
CHECK: dict[str, Any] = {
    "check": "mislabeled",
    "n_tracks": 16,
    "n_issues": 9,
    "n_unknown": 2,
    "n_findings": 3,
    "threshold": 0.4,
    "measured": {"planted": {"random": {"precision": 0.9}, "confusable": {"precision": 0.7}}, EVIL: EVIL},
    "omitted": [EVIL],
    "findings": [FINDING],
}
WALK: dict[str, Any] = {
    "name": EVIL,
    "entries": [{"key": i, "step": None if i == 0 else 0.5} for i in range(4)],
    "smoothness": {"playlist": {"mean": 0.5, "largest": 0.6}},
    "gave_way": {"artist_window": EVIL},
    "embeddings": VECTORS[:4],
    "path": VECTORS[:4],
}
LISTENER = {
    "name": EVIL,
    "entries": [{"key": 1, "rank": 1, "score": 0.9, "taste": 2, "because": [2, "x1"]}],
}
GATE = {
    "factory": "Flat",
    "reason": EVIL,
    "machine": EVIL,
    "n": 16,
    "k": 10,
    "recall": 0.97,
    "n_queries": 4,
    "self_retrieval": 1.0,
    "p50_ms": 0.1,
    "p99_ms": 120.0,
    "bytes_per_vector": 512.0,
}
METRICS = [
    {"step": 10 * i, "split": split, "loss": 5.0 / i, "mse": 1.0 / i, "perplexity": None, "learning_rate": 1e-3}
    for i in range(1, 4)
    for split in ("train", "held_out")
]
FULL = ReportData(
    store=EVIL,
    date="2026-11-21",
    versions={"tracks": "tracks@ab12", "index": "index@cd34"},
    accounting=SUMS,
    rejected=[{"name": EVIL, "uri": EVIL, "reason": "not_audio", "detail": EVIL}],
    metrics=METRICS,
    error=0.656,
    reconstructions=(np.stack([MEL, MEL]), np.stack([MEL, MEL])),
    vectors=VECTORS,
    metadata=FACTS,
    hubs={"k": 10, "hubs": [{"track_id": "t1", "title": EVIL, "artist": EVIL, "label": "a", "k_occurrence": 12}]},
    neighbors=nearest(VECTORS, [0, 5]),
    checks=[CHECK],
    walks=[WALK],
    listeners=[LISTENER],
    gate=GATE,
    limits={"min_recall": 0.95, "max_p99_ms": 100.0},
    tracks=TRACKS,
    omitted=[EVIL],
)
ANCHORS = "catalog training reconstructions map findings neighbors playlists exposure index coldstart"


class Page(HTMLParser):
    """Elements, text and anchors of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]):
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag: str):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str):
        if not {"script", "style"} & set(self._inside):
            self.text += data

    @property
    def anchors(self) -> list[str | None]:
        return [attrs["id"] for tag, attrs in self.elements if tag == "section"]


@pytest.fixture(scope="module")
def html() -> str:
    with pytest.MonkeyPatch.context() as patch:  # UMAP takes seconds, and has its own tests
        patch.setattr("audioae.pages.map_sections.umap_layout", lambda vectors: pca_layout(vectors)[0])
        return render_report(FULL)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


# ---- the whole page


def test_a_full_page_has_every_section_a_link_to_each_and_leaves_nothing_out(page: Page):
    assert page.anchors == [*ANCHORS.split(), "omitted"]
    assert [attrs["href"] for tag, attrs in page.elements if tag == "a"] == [f"#{name}" for name in page.anchors]
    assert "Left out" not in page.text
    for shown in ("tracks@ab12", "index@cd34", "2026-11-21", "0.656", "80.0 %", "from 1:01.5", "confidence 0.83"):
        assert shown in page.text, shown


def test_an_empty_store_gets_a_sentence_for_every_section_and_no_section_is_made_up():
    bare = ReportData("s", "2026-11-21", {}, SUMS, missing={"findings": "it was not screened", "index": "no index"})
    page = Page(render_report(bare))
    assert page.anchors == ANCHORS.split()
    said = re.findall(r"Left out: (.*?)\.", page.text)
    assert len(said) == 9
    assert {"it was not screened", "no index"} < set(said)
    assert not [tag for tag, attrs in page.elements if tag == "svg" and "map" in (attrs.get("class") or "").split()]


@pytest.mark.parametrize(
    ("change", "anchor"),
    [
        ({"metrics": []}, "training"),
        ({"reconstructions": None}, "reconstructions"),
        ({"checks": []}, "findings"),
        ({"walks": []}, "playlists"),
        ({"gate": None}, "index"),
        ({"listeners": []}, "coldstart"),
    ],
)
def test_each_missing_piece_gives_its_sentence_in_its_place(
    change: dict[str, Any], anchor: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("audioae.pages.map_sections.umap_layout", lambda vectors: None)
    html = render_report(replace(FULL, **change, missing={anchor: "for a reason"}))
    sections = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', html, re.DOTALL))
    assert [name for name, body in sections.items() if "Left out" in body] == [anchor]
    assert "for a reason" in sections[anchor] or anchor == "reconstructions"


def test_tags_of_strangers_stay_text(html: str, page: Page):
    assert len([tag for tag, _ in page.elements if tag == "script"]) == 2
    assert not [attrs for _, attrs in page.elements if "onerror" in attrs]
    assert "<img src=x" not in html
    assert page.text.count(EVIL) > 20


def test_it_loads_nothing_and_forbids_itself_to(html: str, page: Page):
    assert "default-src 'none'" in html
    for _, attrs in page.elements:
        for name in ("src", "href"):
            assert (attrs.get(name) or "#").startswith(("data:image/", "#"))
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)


def test_headings_go_down_by_one_and_pictures_have_a_text(page: Page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all("alt" in attrs for tag, attrs in page.elements if tag == "img")
    drawn = [attrs for tag, attrs in page.elements if tag == "svg"]
    assert all("aria-label" in attrs or attrs.get("aria-hidden") for attrs in drawn)


def test_every_button_has_a_track_that_the_script_knows(html: str, page: Page):
    keys = {attrs["data-row"] for tag, attrs in page.elements if tag == "button" and "data-row" in attrs}
    assert "x1" in keys
    assert keys <= {str(key) for key in TRACKS}


def test_what_refers_to_an_unknown_track_is_refused():
    with pytest.raises(EvaluationError, match=r"nothing is known of tracks \['3'\]"):
        replace(FULL, tracks={key: own for key, own in TRACKS.items() if key != 3})
    with pytest.raises(EvaluationError, match="wanted finite ones"):
        replace(FULL, vectors=VECTORS * np.nan)


# ---- sections


def test_the_sums_are_shares_of_the_catalog():
    body = store_sections.accounting(SUMS, []).body
    assert re.findall(r"(\d+\.\d) %", body) == ["80.0", "5.0", "10.0", "5.0", "0.0"]
    assert "3 of the embedded tracks are shorter" in body
    assert "Rejected tracks" not in body
    some = [{"name": "n", "uri": "u", "reason": "not_audio", "detail": "d"}]
    assert "1 of 3 rejected tracks" in store_sections.accounting(SUMS, some).body


def test_training_draws_each_number_that_was_logged_and_the_loss_first():
    body = store_sections.training(METRICS, "").body
    assert re.findall(r"<h3>(.*?)</h3>", body) == ["loss", "mse"]
    assert "at the end: training 1.67, held out 1.67" in body
    assert "Left out: for a reason" in store_sections.training([], "for a reason").body


def test_the_gate_says_of_each_limit_whether_it_is_met():
    body = store_sections.gate(GATE, {"min_recall": 0.95, "max_p99_ms": 100.0}, "").body
    assert re.findall(r"(≥ 0.95|≤ 100)</td><td><span class=\"verdict \w+\">. (\w+)", body) == [
        ("≥ 0.95", "met"),
        ("≥ 0.95", "met"),
        ("≤ 100", "missed"),
    ]


def test_exposure_tells_which_artists_take_more_than_their_share():
    star = np.concatenate([[np.ones(30)], np.eye(30)])
    star = (star / np.linalg.norm(star, axis=1, keepdims=True)).astype(np.float32)
    metadata = make_metadata([f"t{i}" for i in range(31)], artists=["Star", *["Rest"] * 30])
    body = store_sections.exposure(star, metadata, {"k": 1, "hubs": []}).body
    found = re.findall(r'<th scope="row">(\w+)</th><td>(\d+)</td><td>([\d.]+) %</td><td>([\d.]+)<', body)
    assert found[0][0] == "Star"
    assert float(found[0][2]) == pytest.approx(100 * 30 / 31, abs=0.06)
    assert float(found[0][3]) == 30
    nameless = make_metadata([f"t{i}" for i in range(31)])
    assert "Artists" not in store_sections.exposure(star, nameless, {"k": 1, "hubs": []}).body


def test_a_group_is_one_card_that_counts_its_tracks():
    body = finding_sections.findings([CHECK], TRACKS, "").body
    assert body.count("<article") == 1
    assert "9 tracks are one finding" in body
    assert "and 7 more" in body
    assert "9 of 16 tracks are issues: their score is below 0.40. Of 2 the check cannot tell." in body
    assert "Shown are the 1 worst of 3 findings" in body


def test_a_check_that_could_not_run_says_why_and_counts_nothing():
    check = CHECK | {"n_tracks": 0, "n_issues": 0, "n_unknown": 0, "findings": [], "omitted": ["no labels"]}
    body = finding_sections.findings([check], TRACKS, "").body
    assert "It looked at no track." in body
    assert "no labels" in body
    assert "mislabeled" not in store_sections.headline("s", "today", {}, SUMS, None, [check])


def test_copies_say_which_to_keep_and_where_they_are():
    copies = [{"key": 2, "keep": False}, {"key": "x1", "keep": True}]
    finding = FINDING | {"copies": copies, "evidence": {}, "neighbors": [], "n_members": 1, "group": ""}
    body = finding_sections.findings([CHECK | {"findings": [finding]}], TRACKS, "").body
    assert body.count("keep: ") == 1
    assert body.index("<b>Title 2") < body.index("<b>keep: ")


def test_a_track_without_sound_says_so():
    silent = {**TRACKS, "x1": Shown("gone")}
    assert "cannot be heard" in finding_sections.findings([CHECK], silent, "").body
    assert "cannot be heard" not in finding_sections.findings([CHECK], TRACKS, "").body


def test_a_walk_names_what_gave_way_and_its_steps():
    body = list_sections.playlists([WALK | {"gave_way": {"artist_window": "twice"}}], VECTORS, TRACKS, "").body
    assert "artist window gave way: twice." in body
    assert body.count("step 0.50") == 3
    assert "Every rule is kept" in list_sections.playlists([WALK | {"gave_way": {}}], VECTORS, TRACKS, "").body


def test_the_walk_stands_where_its_tracks_stand_on_the_map():
    together, _ = pca_layout(np.concatenate([VECTORS, VECTORS[:4]]), n_fitted=N)
    np.testing.assert_allclose(together[:N], pca_layout(VECTORS)[0], atol=1e-9)
    np.testing.assert_allclose(together[N:], together[:4], atol=1e-9)
    drawn = walk_map(together[:N], together[N:], together[N:], "walk")
    assert re.findall(r"<text dy=\"1\">(\d+)", drawn) == ["4", "3", "2", "1"]


# ---- charts and values


def test_a_stacked_bar_gives_each_part_its_share_and_drops_empty_ones():
    bar = stacked_bar([("one", 3, "embedded"), ("two", 1, "rejected"), ("none", 0, "pending")])
    assert re.findall(r"--wide:([\d.]+)%", bar) == ["75.000", "25.000"]
    assert 'aria-label="one 3, two 1"' in bar


def test_curves_put_the_largest_value_on_top_and_survive_a_constant():
    drawn = curves("loss", {"train": [(0, 2.0), (5, 1.0), (10, 4.0)]})
    (path,) = re.findall(r'd="M(.*?)"', drawn)
    points = [tuple(map(float, point.split())) for point in path.split("L")]
    assert [x for x, _ in points] == [0, 50, 100]
    assert min(points, key=lambda point: point[1])[0] == 100
    assert re.findall(r'class="(?:top|low)">(.*?)<', drawn) == ["4", "1"]
    assert "nan" not in curves("loss", {"train": [(10, 1.0)]})


def test_any_nested_data_becomes_tables():
    assert nested({}) == nested(None) == ""
    rows = nested({"faults": [{"fault": "hum", "auroc": 0.6}, {"fault": "dropout", "left_out": 1.0}]})
    assert re.findall(r'scope="col">(.*?)<', rows) == ["fault", "auroc", "left out"]
    assert re.findall(r'scope="row">(.*?)<', rows) == ["hum", "dropout"]
    side = nested({"random": {"precision": 0.9, "n": 14}, "confusable": {"precision": 0.7, "n": 14}})
    assert side.count("<table") == 1
    assert nested({"deep": {"deeper": {"deepest": [1, 2, {"x": None}]}}}).count("<h4>") >= 2
    long = nested({str(i): i for i in range(MAX_ROWS + 5)})
    assert long.count("<tr>") == MAX_ROWS
    assert "and 5 more" in long


@pytest.mark.parametrize(
    ("value", "shown"), [(float("nan"), "–"), (-0.5, "−0.5"), (2_000, "2,000"), (False, "no"), (1e-7, "1e−07")]
)
def test_values_are_brief(value: Any, shown: str):
    assert brief(value) == shown
