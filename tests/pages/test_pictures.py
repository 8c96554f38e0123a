"""Pictures show low bands at the bottom, and colors between the given limits."""

import base64
import io

import numpy as np
from matplotlib.image import imread

from audioae.pages.pictures import mel_picture, picture


def read(encoded: str, kind: str) -> np.ndarray:
    return imread(io.BytesIO(base64.b64decode(encoded)), format=kind)


def test_low_bands_are_at_the_bottom():
    mel = np.full((128, 130), -80.0)
    mel[:20] = 0.0
    pixels = read(mel_picture(mel), "webp")
    assert pixels.shape[:2] == (128, 130)
    assert pixels[-10:, :, 0].mean() > 5 * max(pixels[:90, :, 0].mean(), 1)


def test_color_is_limited_to_the_given_range():
    pixels = read(picture(np.array([[-9.0, 0.0, 1.0, 9.0]]), 0.0, 1.0, "png"), "png")
    assert pixels.shape[:2] == (1, 4)
    np.testing.assert_array_equal(pixels[0, 0], pixels[0, 1])
    np.testing.assert_array_equal(pixels[0, 2], pixels[0, 3])
