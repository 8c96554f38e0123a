"""Figures of a training run, as PNG bytes. Drawing opens no window and leaves no global state in matplotlib.

Conventions: mels are dB in [-80, 0], shape (k, 128, 130), drawn on one color scale, with the lowest band at the bottom.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from audioae.constants import CLIP_S, FLOOR_DB, N_MELS
from audioae.errors import ModelError

COLORS = {"train": "#4c78a8", "held_out": "#e45756"}
NO_CURVE = ("step", "split", "learning_rate", "clips_per_s")


def reconstruction_figure(originals: np.ndarray, reconstructions: np.ndarray) -> bytes:
    """Draw the originals above their reconstructions, one column per clip, as PNG.

    Raises
    ------
    ModelError
        If the two differ in shape, or are empty.
    """
    if originals.shape != reconstructions.shape or len(originals) == 0:
        raise ModelError(
            f"figure: got shapes {originals.shape} and {reconstructions.shape}, wanted equal, non-empty shapes"
        )
    figure = Figure(figsize=(1 + 2.2 * len(originals), 4.6), layout="constrained")
    axes = figure.subplots(2, len(originals), squeeze=False, sharex=True, sharey=True)
    image = None
    for row, mels in zip(axes, (originals, reconstructions), strict=True):
        for ax, mel in zip(row, mels, strict=True):
            image = ax.imshow(
                mel, origin="lower", aspect="auto", vmin=FLOOR_DB, vmax=0, cmap="magma", extent=(0, CLIP_S, 0, N_MELS)
            )
    axes[0, 0].set_ylabel("original\nmel band")
    axes[1, 0].set_ylabel("reconstruction\nmel band")
    for ax in axes[1]:
        ax.set_xlabel("s")
    assert image is not None
    figure.colorbar(image, ax=axes, label="dB below the clip's maximum", shrink=0.8)
    return _png(figure)


def training_figure(metrics: Sequence[dict[str, Any]]) -> bytes:
    """Draw one panel per logged metric over the steps, for training and held-out tracks, as PNG.

    Parameters
    ----------
    metrics : sequence of dict
        Rows of `TrainResult.metrics`.
    """
    names = [name for name in dict.fromkeys(key for row in metrics for key in row) if name not in NO_CURVE]
    if not names:
        raise ModelError(f"figure: got {len(metrics)} rows of metrics, wanted at least one row with a metric to draw")
    names.sort(key=lambda name: name != "loss")
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 0.4 + 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, name in zip(axes, names, strict=False):
        _curves(ax, name, metrics)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
    return _png(figure)


def _curves(ax: Axes, name: str, metrics: Sequence[dict[str, Any]]) -> None:
    for split, color in COLORS.items():
        points = [(row["step"], row[name]) for row in metrics if row["split"] == split and name in row]
        if points:
            marker = "o" if split == "held_out" or len(points) == 1 else None
            ax.plot(*zip(*points, strict=True), color=color, marker=marker, markersize=3, linewidth=1.2, label=split)
    ax.set_title(name.replace("_", " "), fontsize=10)
    ax.set_xlabel("step", fontsize=8)
    ax.tick_params(labelsize=8)
    ax.grid(alpha=0.3)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
