"""Decoded mels as one picture: a sweep, the way between two tracks, a grid, or the codes of a book.

Conventions
-----------
- All mels are drawn on one color scale, low bands at the bottom, row by row.
- Differences of mels are drawn from blue (quieter, by `SHOWN_DB` or more) to red (louder): the codes of a book differ
  in a part of the latent only, so that their mels look alike.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from audioae.constants import FLOOR_DB, N_FRAMES, N_MELS
from audioae.display import drawn
from audioae.errors import ModelError

GAP = 4  # pixels between mels
DPI = 100
MAX_PIXELS = 2_600  # of the longer side; larger pictures are drawn smaller
SHOWN_DB = 10.0
ILLUSTRATION = "Decoded by the model: no track sounds like this"


def latent_picture(mels: np.ndarray, columns: int, heading: str, labels: Sequence[str] = ()) -> bytes:
    """Draw mels as PNG.

    Parameters
    ----------
    mels : np.ndarray, shape (n, 128, 130), uint8 or int16
        Codes; int16: differences of codes.
    columns : int
        How many are in a row.
    heading : str
    labels : sequence of str
        A text on each mel, or none.

    Raises
    ------
    ModelError
        If there are no mels, or labels for only some of them.
    """
    if not len(mels) or (labels and len(labels) != len(mels)):
        raise ModelError(f"latent picture: got {len(mels)} mels and {len(labels)} labels, wanted mels, and none or all")
    image = tiled(mels, columns)
    scale = min(MAX_PIXELS / max(image.shape), 1.0)
    height, width = (scale * side / DPI for side in image.shape)
    figure = Figure(figsize=(max(width, 6.0), height + 0.6), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, height / (height + 0.6)))
    axes.set_axis_off()
    shown = SHOWN_DB * 255 / -FLOOR_DB
    cmap, low, high = ("magma", 0, 255) if mels.dtype == np.uint8 else ("RdBu_r", -shown, shown)
    axes.imshow(image, cmap=cmap, vmin=low, vmax=high, interpolation="antialiased")
    for place, label in enumerate(labels):
        row, column = divmod(place, columns)
        at = (column * (N_FRAMES + GAP) + 5, row * (N_MELS + GAP) + 5)
        axes.text(*at, drawn(label), color="white", fontsize=8, va="top", bbox={"color": "#00000088", "pad": 1})
    figure.text(0.01, 0.99, f"{drawn(heading)}\n{ILLUSTRATION}", va="top", fontsize=10)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def tiled(mels: np.ndarray, columns: int) -> np.ma.MaskedArray:
    """Mels (n, 128, 130) as one array, the lowest band at the bottom of each; what is between them is masked.

    >>> tiled(np.zeros((3, 128, 130), np.uint8), 2).shape
    (260, 264)
    """
    rows = -(-len(mels) // columns)
    shape = rows * (N_MELS + GAP) - GAP, columns * (N_FRAMES + GAP) - GAP
    image = np.ma.masked_all_like(np.empty(shape, mels.dtype))
    for place, mel in enumerate(mels):
        row, column = divmod(place, columns)
        top, left = row * (N_MELS + GAP), column * (N_FRAMES + GAP)
        image[top : top + N_MELS, left : left + N_FRAMES] = mel[::-1]
    return image
