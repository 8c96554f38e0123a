"""Evidence of tracks: which clip is the odd one, and what is unknown of versions."""

import numpy as np

from audioae.screening.corrupt.classifier import CLEAN
from audioae.screening.corrupt.features import _known_alike, oddest_clip


def test_the_oddest_clip_differs_most_from_the_others():
    codes = np.random.default_rng(0).integers(90, 110, (5, 128, 130)).astype(np.uint8)
    codes[3, :, 60:] = 0
    assert oddest_clip(codes) == 3


def test_what_is_unknown_of_a_track_is_unknown_of_its_versions():
    """Track 0 was decoded by an older version; track 1 is mono, whatever a fault makes of it."""
    nan, kinds = np.nan, np.array([CLEAN, "stutter", CLEAN, "opposed channels"])
    catalog = {"loop": np.array([nan, 0.1]), "correlation": np.array([0.5, nan])}
    versions = {"loop": np.array([0.1, 0.9, 0.1, 0.2]), "correlation": np.array([0.5, 0.4, nan, -1.0])}
    alike = _known_alike(versions, catalog, np.array([0, 0, 1, 1]), kinds)
    assert np.array_equal(alike["loop"], [nan, nan, 0.1, 0.2], equal_nan=True)
    assert np.array_equal(alike["correlation"], [0.5, 0.4, nan, -1.0], equal_nan=True)
