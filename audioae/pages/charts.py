"""Charts as HTML and inline SVG: values on a line, bars, tables in color, curves.

Conventions
-----------
- Functions compute positions and lengths; `templates/charts.html.j2` draws them.
- A chart stretches with the page. Words and numbers are HTML, so that they keep their size on a phone.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from audioae.pages.formats import brief
from audioae.pages.markup import draw
from audioae.pages.pictures import picture

if TYPE_CHECKING:
    from markupsafe import Markup

MAX_BARS = 40
MAX_TICKS = 10
MAX_USE = 4.0
SPLITS = {"train": "training", "held_out": "held out"}


def strip(
    value: float | None, low: float | None, high: float | None, axis: tuple[float, float], kind: str = "dot"
) -> "Markup | str":
    """A value with its interval on an axis, as a line of HTML; `kind` is "dot", or "bar" from the left end of the axis.

    Without a value it is "".
    """
    if value is None or not math.isfinite(value):
        return ""
    start, end = (
        _percent(value if bound is None or not math.isfinite(bound) else bound, axis) for bound in (low, high)
    )
    positions = (_percent(value, axis), start, end - start)
    return draw("strip", kind=kind, **dict(zip(("at", "start", "width"), (f"{x:.1f}" for x in positions), strict=True)))


def strip_axis(values: Sequence[float | None]) -> tuple[float, float]:
    """An axis that contains all values, with some room at both ends.

    >>> strip_axis([0.0, 1.0, None])
    (-0.06, 1.06)
    """
    known = [value for value in values if value is not None and math.isfinite(value)] or [0.0]
    room = 0.06 * max(max(known) - min(known), 1e-6)
    return min(known) - room, max(known) + room


def heat_table(counts: np.ndarray, labels: Sequence[str]) -> "Markup":
    """Counts, shape (n, n), as a table: rows are true labels, columns predicted ones; color is the share of the row."""
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(total == 0, 1, total)
    rows = [
        (name, [_heat_cell(int(counts[i, j]), float(shares[i, j]), i == j) for j in range(len(labels))])
        for i, name in enumerate(labels)
    ]
    return draw("heat_table", labels=labels, rows=rows)


def histogram(values: np.ndarray) -> "Markup":
    """Non-negative whole numbers as bars: how often each number, or each range of numbers, occurs."""
    width = math.ceil((int(values.max()) + 1) / MAX_BARS)
    counts = np.bincount(values // width)
    every = max(1, math.ceil(len(counts) / MAX_TICKS))
    bars = [
        (
            str(i) if width == 1 else f"{i * width} to {(i + 1) * width - 1}",
            int(n),
            f"{100 * n / counts.max():.1f}",
            str(i * width) if i % every == 0 else "",
        )
        for i, n in enumerate(counts)
    ]
    return draw("histogram", bars=bars, most=int(counts.max()))


def code_usage(usage: np.ndarray) -> "Markup":
    """Use of codes, shape (groups, codes), sorted within each group; color is the share relative to uniform use."""
    relative = -np.sort(-usage, axis=1) / np.maximum(usage.sum(axis=1, keepdims=True), 1e-12) * usage.shape[1]
    return draw(
        "code_usage",
        usage=picture(relative, 0.0, MAX_USE, "png"),
        scale=picture(np.linspace(0, MAX_USE, 64)[None], 0.0, MAX_USE, "png"),
        n_groups=usage.shape[0],
        n_codes=usage.shape[1],
        most=f"{MAX_USE:g}",
    )


def stacked_bar(shares: Sequence[tuple[str, int, str]]) -> "Markup":
    """Parts of a whole side by side; each has a name, a count, and the class that gives its color."""
    total = max(sum(n for _, n, _ in shares), 1)
    parts = [(name, n, kind, f"{100 * n / total:.3f}") for name, n, kind in shares if n]
    return draw("stacked_bar", parts=parts, spoken=", ".join(f"{name} {n:,}" for name, n, _, _ in parts))


def curves(name: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> "Markup":
    """One logged number over the steps, a line per split; held-out values also have dots.

    Parameters
    ----------
    name : str
    series : mapping of split to a sequence of (step, value)
        No sequence is empty.
    """
    points = np.array([point for split in series.values() for point in split], float)
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    lines, ends = [], []
    for split, values in series.items():
        xy = (np.array(values, float) - low) / span * [100, -92] + [0, 96]
        lines.append((split, line_path(xy)))
        if split == "held_out" or len(values) == 1:
            lines.append((f"{split} dots", dots_path(xy, 2)))
        ends.append((split, f"{SPLITS.get(split, split)} {brief(float(values[-1][1]))}"))
    spoken = f"{name} over steps {low[0]:.0f} to {high[0]:.0f}; at the end: {', '.join(text for _, text in ends)}"
    top, bottom = brief(float(high[1])), brief(float(low[1]))
    return draw("curves", name=name, spoken=spoken, top=top, low=bottom, lines=lines, ends=ends)


def line_path(xy: np.ndarray) -> str:
    """The path of an SVG through points, shape (n, 2)."""
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in xy)


def dots_path(xy: np.ndarray, digits: int) -> str:
    """The path of an SVG with a dot at each point, shape (n, 2)."""
    return "".join(f"M{x:.{digits}f} {y:.{digits}f}h0" for x, y in xy)


def _heat_cell(n: int, share: float, is_diagonal: bool) -> tuple[str, str, str]:
    kinds = " ".join(kind for kind, holds in (("own", is_diagonal), ("full", share > 0.5)) if holds)
    return kinds, f"{100 * share:.0f}", str(n or "")


def _percent(value: float, axis: tuple[float, float]) -> float:
    """Position on the axis in percent."""
    return min(max(100 * (value - axis[0]) / (axis[1] - axis[0]), 0.0), 100.0)
