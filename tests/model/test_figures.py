"""Figures are PNGs with the expected content, and leave no trace in matplotlib's global state."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib import _pylab_helpers
from matplotlib.image import imread

from audioae.errors import ModelError
from audioae.model.figures import reconstruction_figure, training_figure


def test_reconstructions_are_drawn_under_their_originals():
    rng = np.random.default_rng(0)
    loud, quiet = rng.uniform(-10, 0, (3, 128, 130)), rng.uniform(-80, -70, (3, 128, 130))
    backend = matplotlib.rcParams._get("backend")
    image = imread(io.BytesIO(reconstruction_figure(loud, quiet)))[..., :3]
    height, width = image.shape[:2]
    upper, lower = image[: height // 2, width // 4 : width // 2], image[height // 2 :, width // 4 : width // 2]
    assert np.median(upper) > np.median(lower)
    assert not _pylab_helpers.Gcf.figs
    assert matplotlib.rcParams._get("backend") == backend


def test_training_figure_draws_both_splits():
    metrics = [
        {"step": s, "split": "train", "loss": 1 / s, "perplexity": 2.0 * s, "grad_norm": 1.0} for s in range(1, 9)
    ]
    metrics += [{"step": s, "split": "held_out", "loss": 1.5 / s} for s in (4, 8)]
    image = imread(io.BytesIO(training_figure(metrics)))[..., :3]
    for color in ((0x4C, 0x78, 0xA8), (0xE4, 0x57, 0x56)):
        assert (np.abs(image * 255 - color).max(axis=2) < 8).sum() > 50


def test_a_figure_without_data_is_an_error():
    with pytest.raises(ModelError, match="wanted equal, non-empty shapes"):
        reconstruction_figure(np.zeros((0, 128, 130)), np.zeros((0, 128, 130)))
    with pytest.raises(ModelError, match="got 0 rows of metrics"):
        training_figure([])
