"""Arrays as pictures that are embedded in the page, in base64.

Convention: matplotlib is imported when the first picture is drawn.
"""

import base64
import io
from typing import Any

import numpy as np

from audioae.constants import FLOOR_DB


def mel_picture(mel_db: np.ndarray) -> str:
    """A mel, shape (128, 130), in dB below its maximum, as a WebP of 2 to 4 KB in base64; low bands at the bottom."""
    return picture(mel_db[::-1], FLOOR_DB, 0.0, "webp", quality=60)


def picture(values: np.ndarray, low: float, high: float, kind: str, **options: Any) -> str:
    """Values, shape (rows, columns), in colors from `low` to `high`, as base64 of a picture of format `kind`."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, values, vmin=low, vmax=high, cmap="magma", format=kind, pil_kwargs=options)
    return base64.b64encode(file.getvalue()).decode()
