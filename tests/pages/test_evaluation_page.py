"""The page shows what it is given, says what it was not given, loads nothing, and takes no orders from tags."""

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from audioae.audio.mel import decode_mel, encode_mel, log_mel
from audioae.audio.preview import clip_audio
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.errors import EvaluationError
from audioae.library.track_metadata import make_metadata
from audioae.pages import map_sections, metric_sections
from audioae.pages.evaluation_page import PageData, render_page
from audioae.pages.layout import MAX_POINTS, map_rows, pca_layout, umap_layout
from audioae.pages.markup import interval, mel_picture, number, picture, script_json
from audioae.pages.neighbors import NeighborLists, choose_queries, nearest
from audioae.pages.plots import MAX_LABELS, heat_table, histogram, label_codes, scatter, strip, use_picture

N, K = 40, 5
EVIL = "<script>alert(1)</script>\"'</textarea>&"
RNG = np.random.default_rng(0)
LABELS = [f"label {i % 4}" for i in range(N)]
FACTS = make_metadata(
    [f"track{i}" for i in range(N)], labels=LABELS, artists=[EVIL if i == 3 else f"artist {i % 8}" for i in range(N)]
)
TITLES = [EVIL if i == 3 else "" if i == 4 else f"Title {i}" for i in range(N)]


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


VECTORS = unit(np.eye(4, 16)[np.arange(N) % 4] + 0.15 * RNG.standard_normal((N, 16)))
MELS = RNG.uniform(-80, 0, (N, 128, 130)).astype(np.float32)


def entry(value: float, verdict: str | None = None, **more: Any) -> dict[str, Any]:
    own: dict[str, Any] = {"value": value, "low": value - 0.05, "high": value + 0.05, **more}
    return own | ({"verdict": verdict, "difference": entry(-0.1)} if verdict else {})


METRICS = [
    {
        "key": "mAP by label",
        "higher_is_better": True,
        "n": 40,
        "results": {"audioae": entry(0.7), "easy": entry(0.3, "better"), "hard": entry(0.8, "worse")},
    },
    {
        "key": "skewness of 10-occurrence",
        "higher_is_better": False,
        "n": 39,
        "results": {"audioae": entry(0.4), "easy": entry(0.9, "better"), "hard": entry(0.41, "none")},
    },
]
DOCUMENT: dict[str, Any] = {
    "title": "embeddings@ab12",
    "model": "model@cd34",
    "n_tracks": N,
    "date": "2026-11-21",
    "machine": "a small one",
    "k": 10,
    "metrics": METRICS,
    "omitted": [f"R2 of tempo: {EVIL}"],
    "hubs": [{"track_id": "track3", "title": EVIL, "artist": EVIL, "label": "label 3", "k_occurrence": 21}],
    "confusion": {"labels": ["a", EVIL], "counts": [[7, 3], [0, 10]], "how": "linear probe, 5 folds"},
    "codebook": {"perplexity": 12.5, "dead": 3, "size": 16, "usage": RNG.dirichlet(np.ones(16), 4).tolist()},
    "reconstruction": {"mean squared error": entry(0.412)},
    "robustness": [
        {
            "perturbation": "gain -6 dB",
            "n": 20,
            "cosine_mean": 0.9942,
            "cosine_low": 0.993,
            "cosine_high": 0.995,
            "cosine_min": 0.87,
            "share_99": 0.85,
            "self_retrieval": 0.95,
            "self_low": 0.9,
            "self_high": 1.0,
        }
    ],
}


@pytest.fixture(scope="module")
def data() -> PageData:
    neighbors = nearest(VECTORS, choose_queries(FACTS.labels))
    mels = dict(enumerate(MELS))
    clips = {row: f"sound of {row}".encode() for row in range(N)}
    return PageData(DOCUMENT, VECTORS, FACTS, TITLES, neighbors, mels, clips, (MELS[:3], MELS[3:6]))


@pytest.fixture(scope="module")
def page(data: PageData) -> str:
    return render_page(data)


@pytest.fixture(scope="module")
def bare() -> str:
    """A page of five tracks of which nothing is known and nothing was measured."""
    return render_page(PageData({}, VECTORS[:5], make_metadata(list("abcde")), [""] * 5))


class Reader(HTMLParser):
    """Collects elements, checks that they nest, and keeps each script's text."""

    VOID = ("meta", "img", "br", "path", "circle", "rect", "use")

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str):
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str):
        if "script" in self._open:
            self.scripts[-1] += data
        elif "style" not in self._open:
            self.text += data

    def all(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag and kind in (attrs.get("class") or "").split(" ")]


def has_class(attrs: dict[str, str | None], name: str) -> bool:
    return name in (attrs.get("class") or "").split()


def script_data(html: str) -> dict[str, Any]:
    return json.loads(Reader(html).scripts[0])


# ---- the whole page


def test_a_full_page_has_every_section_and_says_what_was_measured(page: str):
    reader = Reader(page)
    anchors = [attrs["id"] for tag, attrs in reader.elements if tag == "section"]
    expected = "metrics map neighbors confusion hubs robustness codebook reconstructions omitted"
    assert anchors == expected.split()
    assert [attrs["href"] for tag, attrs in reader.elements if tag == "a"] == [f"#{name}" for name in anchors]
    for shown in ("embeddings@ab12", "model@cd34", "40 tracks", "a small one", "0.700", "[0.650, 0.750]", "12.5 of 16"):
        assert shown in reader.text
    assert "Left out" not in reader.text


def test_every_plot_has_a_caption_and_every_picture_a_text(page: str):
    reader = Reader(page)
    tags = [tag for tag, _ in reader.elements]
    assert tags.count("figure") == tags.count("figcaption") == 8
    assert all("alt" in attrs for tag, attrs in reader.elements if tag == "img")
    assert len(re.findall(r"<figcaption>[^<]{60,}", page)) == 8


def test_the_page_names_no_address_and_forbids_itself_to_load_any(page: str):
    reader = Reader(page)
    assert "default-src 'none'" in page
    for _, attrs in reader.elements:
        for name in ("src", "href"):
            value = attrs.get(name)
            assert value is None or value.startswith(("data:image/", "#")), value
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert "url(" not in page
    assert "@import" not in page


def test_tags_of_strangers_stay_text(page: str):
    reader = Reader(page)
    assert len(reader.scripts) == 2
    assert "<script>alert" not in page
    assert EVIL in reader.text
    assert script_data(page)["tracks"]["3"][:2] == [EVIL, EVIL]
    assert "innerHTML" not in reader.scripts[1]
    assert all(name.isidentifier() or "-" in name for _, attrs in reader.elements for name in attrs)


def test_sound_and_mel_of_a_track_are_in_the_page_once_and_found_by_its_row(page: str):
    looked_up = script_data(page)
    assert base64.b64decode(looked_up["clips"]["7"]) == b"sound of 7"
    assert page.count(looked_up["mels"]["7"]) == 1
    rows = {attrs["data-row"] for attrs in Reader(page).all("button", "clip") if has_class(attrs, "clip")}
    assert rows <= looked_up["tracks"].keys() == looked_up["nearest"].keys()


def test_a_track_without_a_title_goes_by_its_id(page: str):
    assert script_data(page)["tracks"]["4"][0] == "track4"


def test_the_map_joins_the_nearest_tracks(page: str):
    near = script_data(page)["nearest"]["8"]
    (expected,) = nearest(VECTORS, [8])
    assert [row for row, _ in near] == list(expected.rows)
    assert [score for _, score in near] == pytest.approx(expected.scores, abs=1e-3)


def test_the_script_finds_all_that_it_asks_the_page_for(page: str):
    reader = Reader(page)
    ids = {attrs["id"] for _, attrs in reader.elements if "id" in attrs}
    classes = {name for _, attrs in reader.elements for name in (attrs.get("class") or "").split()}
    script = reader.scripts[1]
    assert set(re.findall(r'getElementById\("(.*?)"\)', script)) <= ids
    assert {"map", "dot", "links", "rings", "legend", "chosen", "panel", "clip", "all", "nothing"} <= classes


def test_nothing_known_and_nothing_measured_still_makes_a_page_that_says_so(bare: str):
    text = Reader(bare).text
    assert re.findall(r"Left out: (.*?)\.", text) == [
        "the evaluation has no metrics",
        "no queries were chosen",
        "no label could be predicted",
        "5 tracks are too few for lists of 10",
        "no changed copies of the tracks were embedded",
        "the model has none, or its use was not counted",
        "there is no decoder, or it was not asked",
    ]
    assert "UMAP is left out: it needs 10 tracks, 5 are there" in text
    assert len(Reader(bare).all("svg", "map")) == 1


def test_400_tracks_with_mels_and_clips_stay_below_8_mb():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (4, CLIP_SAMPLES)).astype(np.float32)  # the worst for codecs
    pictures = [mel_picture(mel) for mel in decode_mel(encode_mel(log_mel(noise))[0])]
    clip = len(clip_audio(noise[0], SAMPLE_RATE)) * 4 / 3
    marks = 2 * len(scatter(np.zeros((1, 2)), np.array([399]), np.array([1]), "")) + 300  # and a track's entry in data
    assert 400 * (np.mean([len(mel) for mel in pictures]) + clip + marks) < 8e6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vectors": VECTORS[:-1]}, r"got vectors of shape \(39, 16\) and 40 titles for 40 tracks"),
        ({"titles": TITLES[:3]}, "3 titles for 40 tracks"),
        ({"vectors": np.full_like(VECTORS, np.nan)}, "NaN or infinity"),
        ({"clips": {40: b""}}, r"rows \[40\], there are 40 tracks"),
        ({"neighbors": [NeighborLists(0, (-1,), (0.5,))]}, r"rows \[-1\]"),
        ({"mels": {0: np.zeros(130)}}, r"mels of shapes \[\(130,\)\]"),
        ({"reconstructions": (MELS[:2], MELS[:3])}, "originals and reconstructions have shapes"),
    ],
)
def test_what_does_not_fit_together_is_refused(data: PageData, change: dict[str, Any], message: str):
    with pytest.raises(EvaluationError, match=message):
        replace(data, **change)


# ---- sections


def test_the_table_puts_the_hardest_baseline_beside_our_own_and_says_verdicts_in_words():
    section = metric_sections.metric_table(DOCUMENT).body
    heads = re.findall(r'<th scope="col">(.*?)</th>', section)
    assert heads == ["metric", "audioae", "hard", "easy"]
    assert section.count("▲ better") == 2
    assert section.count("▼ worse") == 1
    assert section.count("= no difference") == 1
    assert section.count("lower is better") == 1
    assert "−0.100" in section


def test_a_baseline_without_a_metric_gets_a_dash():
    partial = [METRICS[0], METRICS[1] | {"results": {"audioae": entry(0.4)}}]
    assert metric_sections.metric_table({"metrics": partial}).body.count("<td>–</td>") == 2


def test_the_head_prefers_the_filtered_figure_and_counts_verdicts():
    filtered = METRICS[0] | {"key": "mAP by label, other artists"}
    chosen = metric_sections.key_figures([*METRICS, filtered, METRICS[0] | {"key": "R2 of tempo"}])
    assert [metric["key"] for metric in chosen] == [
        "mAP by label, other artists",
        "skewness of 10-occurrence",
        "R2 of tempo",
    ]
    head = metric_sections.headline(DOCUMENT, N)
    assert re.search(r"against easy</span> <span class=.verdict better.>▲ better</span> <b>2</b>", head)


def test_robustness_shows_cosine_worst_and_self_retrieval():
    body = metric_sections.robustness(DOCUMENT).body
    for shown in ("gain -6 dB", "0.9942", "min 0.870", "85 %", "0.950", "[0.900, 1.000]", "--goal:"):
        assert shown in body


def test_nothing_omitted_needs_no_section():
    assert metric_sections.omitted({"omitted": []}) is None


def test_the_gallery_marks_and_counts_neighbors_of_the_querys_label():
    found = [NeighborLists(0, (4, 1), (0.9, 0.8))]
    body = map_sections.gallery(found, TITLES, FACTS).body
    assert body.count("✓ label 0") == 1
    assert body.count("≠ label 1") == 1
    assert "1 of 2 neighbors" in body
    unlabeled = map_sections.gallery(found, TITLES, make_metadata([f"t{i}" for i in range(N)])).body
    assert "✓" not in unlabeled


def test_hubs_tell_how_many_are_never_found():
    star = unit(np.concatenate([[np.ones(30)], np.eye(30)]))  # all are nearest to the first
    metadata = make_metadata([f"t{i}" for i in range(31)])
    body = map_sections.hubs({"k": 1, "hubs": []}, star, metadata).body
    assert "one stands in 30" in body
    assert "The biggest hubs" not in body


def test_confusion_folds_to_the_most_frequent_labels():
    n = map_sections.MAX_CONFUSION + 3
    counts = np.diag(np.arange(1, n + 1))
    document = {"confusion": {"labels": [f"name{i:02d}" for i in range(n)], "counts": counts.tolist(), "how": "kNN"}}
    body = map_sections.confusion(document).body
    assert f"Shown are the {n - 3} most frequent of {n} labels" in body
    assert "name02" not in body
    assert "name03" in body
    assert f"{counts.sum()} of {counts.sum()} are right" in body


def test_a_codebook_by_group_is_summed_up():
    found = DOCUMENT["codebook"] | {"perplexity": [10.0, 12.0, 14.0, 16.0], "dead": [1, 0, 2, 0]}
    body = map_sections.codebook({"codebook": found}).body
    assert "13.0 of 16" in body
    assert "3 of 64" in body


def test_reconstructions_stand_below_their_originals():
    body = map_sections.reconstructions(DOCUMENT, (MELS[:2], MELS[2:4])).body
    assert re.findall(r'alt="(\w+)"', body) == ["original", "reconstruction"] * 2
    assert "0.412" in body
    assert "0.412" in map_sections.reconstructions(DOCUMENT, None).body


# ---- maps, neighbors, plots


def test_layouts_fill_the_square_are_repeatable_and_keep_clumps():
    labels = np.arange(N) % 4
    pca, share = pca_layout(VECTORS)
    umap = umap_layout(VECTORS)
    assert umap is not None
    np.testing.assert_array_equal(umap, umap_layout(VECTORS))
    assert 0.3 < share < 1
    for positions in (pca, umap):
        assert positions.shape == (N, 2)
        assert positions.min() >= -1e-9
        assert positions.max() <= 1 + 1e-9
        np.testing.assert_allclose(np.ptp(positions, axis=0).max(), 1)
    apart = np.linalg.norm(umap[:, None] - umap[None], axis=-1) + np.eye(N) * 9
    assert (labels[apart.argmin(axis=1)] == labels).all()


@pytest.mark.parametrize("vectors", [VECTORS[:2], np.ones((4, 16), np.float32), np.ones((3, 1), np.float32)])
def test_few_or_equal_vectors_have_a_pca_and_no_umap(vectors: np.ndarray):
    positions, share = pca_layout(vectors)
    assert positions.shape == (len(vectors), 2)
    assert np.isfinite(positions).all()
    assert 0 <= share <= 1 + 1e-9
    assert umap_layout(vectors) is None


def test_large_catalogs_are_sampled_evenly_and_the_map_says_so(monkeypatch: pytest.MonkeyPatch):
    rows = map_rows(1_000_000)
    assert len(rows) == MAX_POINTS
    assert rows[0] == 0
    assert rows[-1] == 999_999
    assert np.ptp(np.diff(rows)) <= 1
    monkeypatch.setattr(map_sections, "umap_layout", lambda vectors: None)
    assert "Shown are 20 of 40 tracks" in map_sections.track_map(VECTORS, np.arange(0, N, 2), FACTS.labels).body


def test_queries_are_spread_over_labels_and_always_the_same():
    labels = np.array([f"l{i % 20:02d}" for i in range(200)] + ["alone", ""])
    queries = choose_queries(labels)
    assert queries == choose_queries(labels)
    assert len(set(labels[queries])) == 8
    assert {"alone", ""}.isdisjoint(labels[queries])
    few = choose_queries(np.array(["a", "b"] * 10))
    assert len(set(few)) == 8
    assert sum(row % 2 == 0 for row in few) == 4
    assert len(set(choose_queries(np.full(5, "")))) == 5


def test_nearest_leaves_out_the_query_and_sorts_by_cosine():
    (found,) = nearest(VECTORS, [7], k=N)
    assert len(found.rows) == N - 1
    assert 7 not in found.rows
    assert list(found.scores) == sorted(found.scores, reverse=True)
    np.testing.assert_allclose(found.scores, VECTORS[list(found.rows)] @ VECTORS[7], rtol=1e-5)
    with pytest.raises(EvaluationError, match=r"queries \[40\]: got 40 tracks"):
        nearest(VECTORS, [40])


def test_a_strip_places_value_and_interval_and_stays_on_its_axis():
    assert "--at:50.0%;--from:25.0%;--wide:75.0%" in strip(0.5, 0.25, 3.0, (0.0, 1.0))
    assert "--at:50.0%;--from:50.0%;--wide:0.0%" in strip(0.5, None, None, (0.0, 1.0), "bar")
    assert strip(None, 0.0, 1.0, (0.0, 1.0)) == strip(float("nan"), 0.0, 1.0, (0.0, 1.0)) == ""


def test_a_histogram_counts_and_widens_its_bars():
    assert re.findall(r'title="(.*?)"', histogram(np.array([0, 2, 2]))) == ["0: 1 tracks", "1: 0 tracks", "2: 2 tracks"]
    wide = re.findall(r'title="(.*?)"', histogram(np.arange(100)))
    assert wide[0] == "0 to 2: 3 tracks"
    assert len(wide) == 34


def test_a_heat_table_colors_by_the_share_of_the_row():
    cells = re.findall(r'--share:(\d+)%">(\d*)<', heat_table(np.array([[3, 1], [0, 0]]), ["a", "b"]))
    assert cells == [("75", "3"), ("25", "1"), ("0", ""), ("0", "")]


def test_rare_labels_share_one_mark():
    labels = np.array([f"{i:02d}" for i in range(30)] * 2 + ["00"])
    names, codes = label_codes(labels)
    assert len(names) == MAX_LABELS
    assert (codes < 0).sum() == 2 * (30 - MAX_LABELS)
    assert [names[code] for code in codes[codes >= 0]] == labels[codes >= 0].tolist()


def test_pictures_show_low_bands_at_the_bottom_and_sorted_codes_at_the_left():
    mel = np.full((128, 130), -80.0)
    mel[:20] = 0.0
    seen = imread(io.BytesIO(base64.b64decode(mel_picture(mel))), format="webp")
    assert seen.shape[:2] == (128, 130)
    assert seen[-10:, :, 0].mean() > 5 * max(seen[:90, :, 0].mean(), 1)
    assert imread(io.BytesIO(base64.b64decode(picture(np.eye(3), 0, 1, "png"))), format="png").shape[:2] == (3, 3)
    source = re.findall(r"base64,([^\"]+)", use_picture(np.array([[0.0, 1.0, 0.5, 0.5]])))[0]
    use = imread(io.BytesIO(base64.b64decode(source)), format="png")[0, :, 0]
    assert (np.diff(use) <= 0).all()
    assert use[0] > use[-1]


def test_numbers_and_script_data_are_safe_to_print():
    assert number(float("nan")) == number(None) == "–"
    assert interval(0.1, None) == interval(float("nan"), 1.0) == ""
    assert "<" not in script_json([EVIL, "<!--"])
    assert json.loads(script_json([EVIL, "<!--"])) == [EVIL, "<!--"]
