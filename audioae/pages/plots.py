"""Plots as HTML and inline SVG. Colors come from the page's style, so that they fit light and dark.

Conventions
-----------
- Every plot is HTML that scales with the page; words and numbers keep their size on a phone.
- A label has a color and a shape of mark: neighbors in color differ in shape.
"""

import math
from collections.abc import Sequence

import numpy as np

from audioae.pages.markup import escape, picture

MAX_LABELS = 24  # with a color of their own; the rest is gray
SHAPES = (
    '<circle r="1"/>',
    '<rect x="-.9" y="-.9" width="1.8" height="1.8"/>',
    '<path d="M0-1.25 1.15.85H-1.15z"/>',
    '<path d="M0-1.3 1.3 0 0 1.3-1.3 0z"/>',
)
SIDE, MARGIN = 100.0, 4.0
MANY = 1_000  # tracks from which on marks are drawn smaller


def strip(
    value: float | None, low: float | None, high: float | None, axis: tuple[float, float], kind: str = "dot"
) -> str:
    """A value with its interval on an axis, as a line of HTML; `kind` is "dot", or "bar" from the axis' left end."""
    if value is None or not math.isfinite(value):
        return ""
    start, end = (_place(value if end is None or not math.isfinite(end) else end, axis) for end in (low, high))
    styles = f"--at:{_place(value, axis):.1f}%;--from:{start:.1f}%;--wide:{end - start:.1f}%"
    return f'<span class="strip {kind}" style="{styles}"><i></i><b></b></span>'


def strip_axis(values: Sequence[float | None]) -> tuple[float, float]:
    """An axis that holds all values, with a little room at both ends.

    >>> strip_axis([0.0, 1.0, None])
    (-0.06, 1.06)
    """
    known = [value for value in values if value is not None and math.isfinite(value)] or [0.0]
    room = 0.06 * max(max(known) - min(known), 1e-6)
    return min(known) - room, max(known) + room


def heat_table(counts: np.ndarray, labels: Sequence[str]) -> str:
    """Counts (n, n) as a table: rows are true labels, columns predicted; color is the share of the row."""
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(total == 0, 1, total)
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in labels)
    rows = []
    for i, name in enumerate(labels):
        cells = "".join(_cell(int(counts[i, j]), float(shares[i, j]), i == j) for j in range(len(labels)))
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    corner = '<th class="corner">true ↓ predicted →</th>'
    return f'<div class="scroll"><table class="heat"><tr>{corner}{head}</tr>{"".join(rows)}</table></div>'


def histogram(values: np.ndarray, most_bars: int = 40) -> str:
    """Non-negative whole numbers as bars: how often each, or each range of some width, occurs."""
    width = math.ceil((int(values.max()) + 1) / most_bars)
    counts = np.bincount(values // width)
    bars = []
    for i, count in enumerate(counts):
        name = str(i) if width == 1 else f"{i * width} to {(i + 1) * width - 1}"
        height = 100 * count / counts.max()
        tick = str(i * width) if i % max(1, math.ceil(len(counts) / 10)) == 0 else ""
        bars.append(f'<li title="{name}: {count} tracks"><i style="height:{height:.1f}%"></i><span>{tick}</span></li>')
    return f'<p class="most">{counts.max():,} tracks</p><ol class="bars" aria-hidden="true">{"".join(bars)}</ol>'


def use_picture(usage: np.ndarray, most: float = 4.0) -> str:
    """Use of codes (groups, codes), sorted within each group: color is the share, 1 for even use."""
    even = -np.sort(-usage, axis=1) / np.maximum(usage.sum(axis=1, keepdims=True), 1e-12) * usage.shape[1]
    scale = picture(np.linspace(0, most, 64)[None], 0.0, most, "png")
    return (
        f'<img class="codes" alt="use of {usage.shape[1]} codes in {len(usage)} groups" '
        f'src="data:image/png;base64,{picture(even, 0.0, most, "png")}">'
        f'<div class="scale"><span>never</span><img alt="" src="data:image/png;base64,{scale}">'
        f"<span>{most:g} times even use, or more</span></div>"
    )


def label_codes(labels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Names of the labels that have a color, in alphabetical order, and every track's number in them, or -1.

    >>> label_codes(np.array(["b", "a", "", "b"]))
    (['a', 'b'], array([ 1,  0, -1,  1]))
    """
    labels = np.asarray(labels).astype(str)
    names, counts = np.unique(labels[labels != ""], return_counts=True)
    colored = sorted(names[np.argsort(-counts, kind="stable")[:MAX_LABELS]].tolist())
    number = {name: i for i, name in enumerate(colored)}
    return colored, np.array([number.get(label, -1) for label in labels])


def label_styles(n_labels: int) -> str:
    """CSS rules that give each label its hue; light and dark differ in lightness, which the page sets."""
    return "".join(f".l{i}{{--hue:{360 * i / n_labels:.0f}}}" for i in range(n_labels))


def mark(code: int, attributes: str = "") -> str:
    """The mark of a label, for inside an SVG; -1 is a gray dot."""
    shape, style = (code % len(SHAPES), f"l{code}") if code >= 0 else (0, "other")
    return f'<use href="#mark{shape}" class="dot {style}" {attributes}/>'


def mark_shapes() -> str:
    """The shapes that `mark` refers to; once in a page."""
    symbols = "".join(f'<g id="mark{i}">{shape}</g>' for i, shape in enumerate(SHAPES))
    return f'<svg width="0" height="0" class="hidden" aria-hidden="true"><defs>{symbols}</defs></svg>'


def scatter(positions: np.ndarray, rows: np.ndarray, codes: np.ndarray, name: str) -> str:
    """A map: a mark per track, positions in [0, 1], in a fixed random order so that no label covers the others."""
    xy = MARGIN + (SIDE - 2 * MARGIN) * np.stack([positions[:, 0], 1 - positions[:, 1]], axis=1)
    order = np.random.default_rng(0).permutation(len(rows))
    size = "" if len(rows) <= MANY else " scale(.6)"
    marks = "".join(
        mark(int(codes[i]), f'data-row="{rows[i]}" transform="translate({xy[i, 0]:.2f} {xy[i, 1]:.2f}){size}"')
        for i in order
    )
    help_text = f"{name} of {len(rows)} tracks. Arrow keys go to the next track, Enter plays it."
    return (
        f'<svg class="map" viewBox="0 0 {SIDE:g} {SIDE:g}" tabindex="0" role="application" '
        f'aria-label="{escape(help_text)}"><g class="links"></g><g>{marks}</g><g class="rings"></g></svg>'
    )


def _cell(count: int, share: float, own: bool) -> str:
    kinds = " ".join(kind for kind, holds in (("own", own), ("full", share > 0.5)) if holds)
    return f'<td class="{kinds}" style="--share:{100 * share:.0f}%">{count or ""}</td>'


def _place(value: float, axis: tuple[float, float]) -> float:
    """Percent of the axis."""
    return min(max(100 * (value - axis[0]) / (axis[1] - axis[0]), 0.0), 100.0)
