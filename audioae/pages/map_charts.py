"""Tracks as marks on a map, and a playlist drawn over it.

Conventions
-----------
- Positions are in [0, 1], y upwards, as `layout` computes them; the drawing has y downwards.
- A label has a color and a shape: labels of similar color differ in shape. Rare labels share a gray dot.
"""

from typing import TYPE_CHECKING

import numpy as np

from audioae.pages.charts import dots_path, line_path
from audioae.pages.markup import draw

if TYPE_CHECKING:
    from markupsafe import Markup

MAX_LABELS = 24  # with a color of their own
N_SHAPES = 4  # in `mark_shapes` of templates/charts.html.j2
SIDE, MARGIN = 100.0, 4.0
MANY = 1_000  # tracks above which marks are smaller


def label_codes(labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Names of the labels that have a color, in alphabetical order, and each track's position among them, or -1.

    >>> label_codes(np.array(["b", "a", "", "b"]))
    (['a', 'b'], array([ 1,  0, -1,  1]))
    """
    labels = np.asarray(labels).astype(str)
    names, counts = np.unique(labels[labels != ""], return_counts=True)
    colored = sorted(names[np.argsort(-counts, kind="stable")[:MAX_LABELS]].tolist())
    code = {name: i for i, name in enumerate(colored)}
    return colored, np.array([code.get(label, -1) for label in labels])


def label_hues(n_labels: int) -> list[str]:
    """A hue in degrees for each label that has a color; the page's style sets the lightness.

    >>> label_hues(3)
    ['0', '120', '240']
    """
    n = min(MAX_LABELS, max(1, n_labels))
    return [f"{360 * i / n:.0f}" for i in range(n)]


def mark_style(code: int) -> tuple[int, str]:
    """Shape and class of a label's mark; -1 is a gray dot."""
    return (code % N_SHAPES, f"l{code}") if code >= 0 else (0, "other")


def scatter(positions: np.ndarray, rows: np.ndarray, codes: np.ndarray, name: str) -> "Markup":
    """A map with a mark per track, in a fixed random order so that no label covers the others.

    Parameters
    ----------
    positions : np.ndarray, shape (n, 2), in [0, 1]
    rows : np.ndarray, shape (n,), int
        Keys of the tracks in the page.
    codes : np.ndarray, shape (n,), int
        Labels as in `label_codes`.
    name : str
    """
    xy = _on_drawing(positions)
    marks = [
        (*mark_style(int(codes[i])), int(rows[i]), f"{xy[i, 0]:.2f}", f"{xy[i, 1]:.2f}")
        for i in np.random.default_rng(0).permutation(len(rows))
    ]
    scale = "" if len(rows) <= MANY else " scale(.6)"
    return draw("scatter", name=name, n=len(rows), side=f"{SIDE:g}", marks=marks, scale=scale)


def walk_map(catalog: np.ndarray, walk: np.ndarray, path: np.ndarray, name: str) -> "Markup":
    """A playlist over the map of the catalog: its tracks, numbered and joined by lines, and its ideal path.

    Parameters
    ----------
    catalog, walk, path : np.ndarray, shapes (n, 2), (m, 2) and (m, 2), in [0, 1]
        Positions on one map.
    name : str
    """
    catalog, walk, path = (_on_drawing(positions) for positions in (catalog, walk, path))
    stops = [(i, f"{x:.2f}", f"{y:.2f}") for i, (x, y) in enumerate(walk, 1)]
    return draw(
        "walk_map",
        name=name,
        side=f"{SIDE:g}",
        dot_size="1.6" if len(catalog) <= MANY else "0.7",
        dots=dots_path(catalog, 1),
        path=line_path(path),
        line=line_path(walk),
        stops=stops[::-1],  # the first ones are drawn on top
    )


def _on_drawing(positions: np.ndarray) -> np.ndarray:
    return MARGIN + (SIDE - 2 * MARGIN) * np.stack([positions[:, 0], 1 - positions[:, 1]], axis=1)
