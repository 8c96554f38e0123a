"""Marks and playlists are drawn at the positions of their tracks."""

import re

import numpy as np

from audioae.pages.layout import pca_layout
from audioae.pages.map_charts import MAX_LABELS, label_codes, label_hues, scatter, walk_map
from tests.pages.made import EVIL, HtmlReader, unit

VECTORS = unit(np.random.default_rng(0).standard_normal((16, 8)))


def test_rare_labels_share_one_mark():
    labels = np.array([f"{i:02d}" for i in range(30)] * 2 + ["00"])
    names, codes = label_codes(labels)
    assert len(names) == MAX_LABELS == len(label_hues(30))
    assert (codes < 0).sum() == 2 * (30 - MAX_LABELS)
    assert [names[code] for code in codes[codes >= 0]] == labels[codes >= 0].tolist()


def test_scatter_has_a_mark_per_track_with_y_upwards():
    drawn = scatter(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([7, 9]), np.array([5, -1]), EVIL)
    marks = {attrs["data-row"]: attrs for attrs in HtmlReader(drawn).all("use")}
    assert marks["7"]["transform"] == "translate(4.00 4.00)"
    assert marks["9"]["transform"] == "translate(96.00 96.00)"
    assert [marks[row]["class"] for row in "79"] == ["dot l5", "dot other"]
    assert [marks[row]["href"] for row in "79"] == ["#mark1", "#mark0"]


def test_playlist_is_drawn_where_its_tracks_are_on_the_map():
    together, _ = pca_layout(np.concatenate([VECTORS, VECTORS[:4]]), n_fitted=16)
    np.testing.assert_allclose(together[16:], together[:4], atol=1e-9)
    drawn = walk_map(together[:16], together[16:], together[16:], EVIL)
    assert re.findall(r"<text dy=\"1\">(\d+)", drawn) == ["4", "3", "2", "1"]
    (attrs,) = HtmlReader(drawn).all("svg")
    assert attrs["aria-label"] == EVIL
