"""Pictures of a playlist as PNG: its walk over the map, and the mels decoded along the ideal path.

Convention: the map is the first two principal components of the embeddings, so that a straight path looks straight.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from audioae.constants import CLIP_S, FLOOR_DB, N_MELS
from audioae.display import drawn
from audioae.playlists.walk import Playlist
from audioae.search.projection import fit_plane
from audioae.spacing import evenly_spaced

MAX_MAPPED = 5_000
INK, WALK, PATH, OTHERS = "#222222", "#c2410c", "#4c78a8", "#d4d4d8"
ILLUSTRATION = "Illustration: decoded from interpolated embeddings; no track sounds like this"


def walk_picture(playlist: Playlist, embeddings: np.ndarray, titles: Sequence[str], name: str) -> bytes:
    """Draw the walk on the map of the catalog, and its steps below.

    Parameters
    ----------
    playlist : Playlist
    embeddings : np.ndarray, shape (n, dim)
        Embeddings of the catalog, to which `playlist.rows` refer. At most `MAX_MAPPED` are drawn.
    titles : sequence of str
        Titles of the playlist's tracks, in order.
    name : str
        The heading.
    """
    figure = Figure(figsize=(10, 9), layout="constrained")
    over, below = figure.subplots(2, 1, height_ratios=(3, 1))
    _map(over, playlist, embeddings, titles)
    _steps(below, playlist)
    figure.suptitle(drawn(name), x=0.01, ha="left", fontsize=13)
    return _png(figure)


def preview_picture(mels: np.ndarray, shares: Sequence[float], name: str) -> bytes:
    """Draw decoded mels (k, 128, 130) in dB side by side; `shares` (k,) is the share of the path at each."""
    figure = Figure(figsize=(1 + 1.8 * len(mels), 3.4), layout="constrained")
    axes = figure.subplots(1, len(mels), squeeze=False, sharey=True)[0]
    for ax, mel, share in zip(axes, mels, shares, strict=True):
        image = ax.imshow(
            mel, origin="lower", aspect="auto", vmin=FLOOR_DB, vmax=0, cmap="magma", extent=(0, CLIP_S, 0, N_MELS)
        )
        ax.set_title(f"{share:.0%}", fontsize=10)
        ax.set_xlabel("s")
    axes[0].set_ylabel("mel band")
    figure.colorbar(image, ax=axes, label="dB", shrink=0.8)
    figure.suptitle(f"{drawn(name)}\n{ILLUSTRATION}", x=0.01, ha="left", fontsize=10)
    return _png(figure)


def _map(ax: Axes, playlist: Playlist, embeddings: np.ndarray, titles: Sequence[str]) -> None:
    shown = embeddings[evenly_spaced(len(embeddings), MAX_MAPPED)]
    plane = fit_plane(shown)
    walk, path = plane.project(embeddings[playlist.rows]), plane.project(playlist.path)
    ax.scatter(*plane.project(shown).T, s=12, color=OTHERS, label="the catalog", linewidths=0)
    ax.plot(*path.T, color=PATH, linestyle="--", linewidth=1.5, label="ideal path")
    ax.plot(*walk.T, color=WALK, linewidth=1.2, alpha=0.8, label="the walk")
    ax.scatter(*walk.T, s=120, color="white", edgecolors=WALK, zorder=3)
    for i, point in enumerate(walk):
        ax.annotate(str(i + 1), point, ha="center", va="center", fontsize=7, color=INK, zorder=4)
    for i in playlist.waypoints:
        ax.annotate(
            drawn(str(titles[i])), tuple(walk[i]), xytext=(9, 9), textcoords="offset points",
            fontsize=9, weight="bold", zorder=5,
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )  # fmt: skip
    ax.set(xlabel="principal component 1", ylabel="principal component 2")
    ax.margins(0.08)
    ax.legend(loc="best", fontsize=8, frameon=False)
    ax.spines[["top", "right"]].set_visible(False)


def _steps(ax: Axes, playlist: Playlist) -> None:
    n = len(playlist.steps)
    ax.bar(np.arange(n) + 1.5, playlist.steps, width=0.8, color=WALK, alpha=0.85)
    for kind, style in (("nearest", "--"), ("random order", ":"), ("straight line", "-")):
        mean = playlist.smoothness[kind]["mean"]
        ax.axhline(mean, color=INK, linestyle=style, linewidth=1, label=f"{kind}, mean {mean:.2f}")
    ax.set(xlabel="position in the playlist", ylabel="step, radians", xlim=(0.5, n + 1.5))
    ax.set_xticks(np.arange(1, n + 2, max(1, (n + 1) // 25)))
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=8, frameon=False)
    ax.spines[["top", "right"]].set_visible(False)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
