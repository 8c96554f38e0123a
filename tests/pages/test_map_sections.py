"""Maps, galleries, hubs, confusion, codebook and reconstructions show the numbers that they were given."""

import re

import numpy as np
import pytest

from audioae.library.track_metadata import make_metadata
from audioae.pages import map_sections
from audioae.pages.neighbors import NeighborLists
from tests.pages.made import DOCUMENT, EVIL, HtmlReader, nameless, star, text_of, unavailable, unit

N = 40
VECTORS = unit(np.random.default_rng(0).standard_normal((N, 16)))
METADATA = make_metadata([f"track{i}" for i in range(N)], labels=[f"label {i % 4}" for i in range(N)])
TITLES = [EVIL if i == 4 else "" if i == 1 else f"Title {i}" for i in range(N)]
MELS = np.random.default_rng(0).uniform(-80, 0, (4, 128, 130)).astype(np.float32)


def test_map_of_a_sample_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(map_sections, "tsne_layout", lambda vectors: None)
    body = map_sections.track_map(VECTORS, np.arange(0, N, 2), METADATA.labels).body
    assert "Shown: 20 of 40 tracks" in text_of(body)
    assert "Shown:" not in text_of(map_sections.track_map(VECTORS, np.arange(N), METADATA.labels).body)


def test_legend_has_every_label_and_escapes_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(map_sections, "tsne_layout", lambda vectors: None)
    labels = np.array([EVIL, "a", ""] * 4)
    reader = HtmlReader(map_sections.track_map(VECTORS[:12], np.arange(12), labels).body)
    assert [attrs["data-label"] for attrs in reader.all("button") if "data-label" in attrs] == ["l0", "l1", "other"]
    assert EVIL in reader.raw_text
    assert "no label" not in reader.text
    unlabeled = map_sections.track_map(VECTORS[:12], np.arange(12), np.full(12, "")).body
    assert "no label" in text_of(unlabeled)


def test_gallery_counts_neighbors_with_the_querys_label():
    query = [NeighborLists(0, (4, 1), (0.9, 0.8))]
    body = map_sections.gallery(query, TITLES, METADATA).body
    assert body.count("✓ label 0") == 1
    assert body.count("≠ label 1") == 1
    assert "1 of 2 neighbors" in text_of(body)
    assert EVIL in HtmlReader(body).raw_text
    assert "track1" in text_of(body)
    assert "✓" not in map_sections.gallery(query, TITLES, nameless(N)).body


def test_hubs_count_tracks_that_are_never_found():
    body = text_of(map_sections.hubs({"k": 1, "hubs": []}, star(30), nameless(31)).body)
    assert "29 of 31 tracks appear in no list and are never found, and one appears in 30" in body
    assert "biggest hubs" not in body


def test_hubs_outside_the_evaluated_tracks_have_no_button():
    hubs = [{"track_id": name, "title": None, "artist": None, "label": EVIL, "k_occurrence": 3} for name in ("t1", "x")]
    reader = HtmlReader(map_sections.hubs({"k": 1, "hubs": hubs}, star(30), nameless(31)).body)
    assert [attrs["data-row"] for attrs in reader.all("button", "clip")] == ["1"]
    assert "x " + " ".join(EVIL.split()) in reader.text
    assert "None" not in reader.text


def test_confusion_shows_the_most_frequent_labels():
    n = map_sections.MAX_CONFUSION + 3
    counts = np.diag(np.arange(1, n + 1))
    document = {"confusion": {"labels": [f"name{i:02d}" for i in range(n)], "counts": counts.tolist(), "how": "kNN"}}
    text = text_of(map_sections.confusion(document).body)
    assert f"Shown: the {n - 3} most frequent of {n} labels" in text
    assert "name02" not in text
    assert "name03" in text
    assert f"{counts.sum()} of {counts.sum()} predictions are correct" in text


def test_confusion_without_predictions_gives_a_reason():
    document = {"confusion": {"labels": ["a", "b"], "counts": [[0, 0], [0, 0]], "how": "linear probe"}}
    assert unavailable(map_sections.confusion(document).body) == ["no label could be predicted"]


def test_codebook_sums_up_its_groups():
    book = DOCUMENT["codebook"] | {"perplexity": [10.0, 12.0, 14.0, 16.0], "dead": [1, 0, 2, 0]}
    body = map_sections.codebook({"codebook": book}).body
    assert "13.0 of 16" in body
    assert "3 of 64" in body


def test_reconstructions_are_below_their_originals():
    body = map_sections.reconstructions(DOCUMENT, (MELS[:2], MELS[2:4])).body
    assert re.findall(r'alt="(\w+)"', body) == ["original", "reconstruction"] * 2
    assert "0.412" in body


def test_error_is_shown_without_pictures_too():
    body = map_sections.reconstructions(DOCUMENT, None).body
    assert "0.412" in body
    assert unavailable(body) == ["no clip could be read"]
