"""The page of an evaluation shows what it gets, names what it does not get, and loads nothing."""

import base64
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from audioae.audio.mel import decode_mel, encode_mel, log_mel
from audioae.audio.preview import clip_audio
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.errors import EvaluationError
from audioae.library.track_metadata import make_metadata
from audioae.pages.evaluation_page import PageData, render_page
from audioae.pages.map_charts import scatter
from audioae.pages.neighbors import NeighborLists, choose_queries, nearest
from audioae.pages.pictures import mel_picture
from tests.pages.made import DOCUMENT, EVIL, HtmlReader, check_page, script_data, text_of, unavailable, unit

N = 40
RNG = np.random.default_rng(0)
METADATA = make_metadata(
    [f"track{i}" for i in range(N)],
    labels=[f"label {i % 4}" for i in range(N)],
    artists=[EVIL if i == 3 else f"artist {i % 8}" for i in range(N)],
)
TITLES = [EVIL if i == 3 else "" if i == 4 else f"Title {i}" for i in range(N)]
VECTORS = unit(np.eye(4, 16)[np.arange(N) % 4] + 0.15 * RNG.standard_normal((N, 16)))
MELS = RNG.uniform(-80, 0, (N, 128, 130)).astype(np.float32)


@pytest.fixture(scope="module")
def data() -> PageData:
    neighbors = nearest(VECTORS, choose_queries(METADATA.labels))
    clips = {row: f"sound of {row}".encode() for row in range(N)}
    return PageData(DOCUMENT, VECTORS, METADATA, TITLES, neighbors, dict(enumerate(MELS)), clips, (MELS[:3], MELS[3:6]))


@pytest.fixture(scope="module")
def page(data: PageData) -> str:
    return render_page(data)


def test_full_page_has_every_section_and_all_values(page: str):
    reader = HtmlReader(page)
    expected = "metrics map neighbors confusion hubs robustness codebook reconstructions omitted"
    assert reader.anchors == expected.split()
    for shown in ("embeddings@ab12", "model@cd34", "40 tracks", "a small one", "0.700", "[0.650, 0.750]", "12.5 of 16"):
        assert shown in reader.text
    assert unavailable(page) == []


def test_page_is_safe_and_offline(page: str):
    reader = check_page(page)
    assert EVIL in reader.text
    assert script_data(page)["tracks"]["3"][:2] == [EVIL, EVIL]


def test_every_chart_has_a_caption(page: str):
    tags = [tag for tag, _ in HtmlReader(page).elements]
    assert tags.count("figure") == tags.count("figcaption") == 8
    assert len(re.findall(r"<figcaption>[^<]{60,}", page)) == 8


def test_page_has_sound_and_mel_of_a_track_once(page: str):
    data = script_data(page)
    assert base64.b64decode(data["clips"]["7"]) == b"sound of 7"
    assert page.count(data["mels"]["7"]) == 1
    rows = {attrs["data-row"] for attrs in HtmlReader(page).all("button", "clip")}
    assert rows <= data["tracks"].keys() == data["nearest"].keys()


def test_track_without_title_shows_its_id(page: str):
    assert script_data(page)["tracks"]["4"][0] == "track4"


def test_map_has_the_nearest_tracks_of_every_track(page: str):
    near = script_data(page)["nearest"]["8"]
    (expected,) = nearest(VECTORS, [8])
    assert [row for row, _ in near] == list(expected.rows)
    assert [score for _, score in near] == pytest.approx(expected.scores, abs=1e-3)


def test_page_has_every_element_that_the_script_looks_up(page: str):
    reader = HtmlReader(page)
    ids = {attrs["id"] for _, attrs in reader.elements if "id" in attrs}
    classes = {name for _, attrs in reader.elements for name in (attrs.get("class") or "").split()}
    assert set(re.findall(r'getElementById\("(.*?)"\)', reader.scripts[1])) <= ids
    assert {"map", "dot", "links", "rings", "legend", "chosen", "panel", "clip", "all", "nothing"} <= classes


def test_page_of_an_empty_evaluation_gives_reasons():
    bare = render_page(PageData({}, VECTORS[:5], make_metadata(list("abcde")), [""] * 5))
    check_page(bare)
    assert unavailable(bare) == [
        "the evaluation has no metrics",
        "no queries were chosen",
        "no label could be predicted",
        "5 tracks are too few for lists of 10",
        "no perturbed copies of the tracks were embedded",
        "the model has no codebook, or the use of its codes was not counted",
        "the embeddings have no decoder, or nothing was reconstructed",
    ]
    assert "t-SNE is not shown because it needs 10 tracks and there are only 5" in text_of(bare)
    assert len(HtmlReader(bare).all("svg", "map")) == 1


def test_400_tracks_with_mels_and_clips_take_less_than_8_mb():
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
        ({"clips": {40: b""}}, r"rows \[40\], wanted 0 to 39"),
        ({"neighbors": [NeighborLists(0, (-1,), (0.5,))]}, r"rows \[-1\]"),
        ({"mels": {0: np.zeros(130)}}, r"mels of shapes \[\(130,\)\]"),
        ({"reconstructions": (MELS[:2], MELS[:3])}, "originals and reconstructions have shapes"),
    ],
)
def test_rejects_data_that_does_not_match(data: PageData, change: dict[str, Any], message: str):
    with pytest.raises(EvaluationError, match=message):
        replace(data, **change)
