"""Evidence of tracks: which clip is the odd one."""

import numpy as np

from audioae.screening.corrupt.features import oddest_clip


def test_the_oddest_clip_differs_most_from_the_others():
    codes = np.random.default_rng(0).integers(90, 110, (5, 128, 130)).astype(np.uint8)
    codes[3, :, 60:] = 0
    assert oddest_clip(codes) == 3
