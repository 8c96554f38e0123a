"""Charts of a store's report as HTML and inline SVG: shares of a whole, curves over steps, a walk over the map.

Convention: what is drawn stretches with the page; words and numbers are HTML, so that they keep their size on a phone.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from audioae.pages.markup import brief, escape
from audioae.pages.plots import MANY, MARGIN, SIDE

SPLITS = {"train": "training", "held_out": "held out"}


def stacked_bar(shares: Sequence[tuple[str, int, str]]) -> str:
    """Parts of a whole side by side: each has a name, a count, and the kind of its color."""
    total = max(sum(count for _, count, _ in shares), 1)
    parts = "".join(
        f'<i class="{kind}" style="--wide:{100 * count / total:.3f}%" title="{escape(name)}: {count:,}"></i>'
        for name, count, kind in shares
        if count
    )
    spoken = ", ".join(f"{name} {count:,}" for name, count, _ in shares if count)
    return f'<div class="stack" role="img" aria-label="{escape(spoken)}">{parts}</div>'


def curves(name: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """One number over the steps, a line per split; points of held-out tracks are dots besides.

    Parameters
    ----------
    name : str
    series : mapping of split to a sequence of (step, value), none of them empty
    """
    points = np.array([point for split in series.values() for point in split], float)
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    lines, spoken = [], []
    for split, own in series.items():
        places = (np.array(own, float) - low) / span * [100, -92] + [0, 96]
        lines.append(f'<path class="{split}" d="{_line(places)}"/>')
        if split == "held_out" or len(own) == 1:
            lines.append(f'<path class="{split} dots" d="{"".join(f"M{x:.2f} {y:.2f}h0" for x, y in places)}"/>')
        spoken.append(f"{SPLITS.get(split, split)} {brief(float(own[-1][1]))}")
    last = " · ".join(
        f'<span class="{split}">{text}</span>' for split, text in zip(series, map(escape, spoken), strict=True)
    )
    label = escape(f"{name} over steps {low[0]:.0f} to {high[0]:.0f}; at the end: {', '.join(spoken)}")
    return (
        f'<div class="curve"><h3>{escape(name)}</h3><div class="field"><span class="top">{brief(float(high[1]))}</span>'
        f'<span class="low">{brief(float(low[1]))}</span><svg viewBox="0 0 100 100" preserveAspectRatio="none" '
        f'role="img" aria-label="{label}">{"".join(lines)}</svg></div><p class="last">{last}</p></div>'
    )


def walk_map(catalog: np.ndarray, walk: np.ndarray, path: np.ndarray, name: str) -> str:
    """Tracks in order over the map of all, joined by lines and numbered, beside the path that they were to follow.

    Parameters
    ----------
    catalog, walk, path : np.ndarray, shapes (n, 2), (m, 2) and (m, 2), in [0, 1]
        Positions on one map.
    """
    catalog, walk, path = (
        MARGIN + (SIDE - 2 * MARGIN) * np.stack([xy[:, 0], 1 - xy[:, 1]], axis=1) for xy in (catalog, walk, path)
    )
    marks = "".join(
        f'<g transform="translate({x:.2f} {y:.2f})"><circle r="2.2"/><text dy="1">{number}</text></g>'
        for number, (x, y) in reversed(list(enumerate(walk, 1)))
    )
    size = 1.6 if len(catalog) <= MANY else 0.7
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in catalog)
    return (
        f'<svg class="walk" viewBox="0 0 {SIDE:g} {SIDE:g}" role="img" aria-label="{escape(name)}">'
        f'<path class="others" style="stroke-width:{size}" d="{dots}"/><path class="ideal" d="{_line(path)}"/>'
        f'<path class="line" d="{_line(walk)}"/>{marks}</svg>'
    )


def _line(xy: np.ndarray) -> str:
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in xy)
