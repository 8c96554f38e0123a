"""Small pieces of HTML: escaped text, numbers, sections, figures, pictures as data.

Convention: whatever comes from a catalog (titles, labels, IDs) goes through `escape` before it stands in HTML, and
through `script_json` before it stands in a script: tags of audio files are written by strangers.
"""

import base64
import html
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.image import imsave

from audioae.constants import FLOOR_DB


@dataclass(frozen=True)
class Section:
    """A part of the page: its anchor, its heading, and its HTML."""

    anchor: str
    title: str
    body: str

    def render(self) -> str:
        return f'<section id="{self.anchor}"><h2>{escape(self.title)}</h2>{self.body}</section>'


def escape(text: object) -> str:
    """Text as HTML shows it; None is nothing.

    >>> escape('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return "" if text is None else html.escape(str(text), quote=True)


def script_json(value: Any) -> str:
    """JSON that may stand inside <script>: it cannot end the element.

    >>> script_json("</script>")
    '"\\\\u003c/script>"'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def number(value: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """A number with a true minus sign; a dash where there is none.

    >>> number(-0.1234), number(None), number(0.5, 2, sign=True)
    ('−0.123', '–', '+0.50')
    """
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def brief(value: Any) -> str:
    """Any value in three digits, where it is a number.

    >>> brief(12345.6), brief(0.00012), brief(True), brief("wav"), brief(None)
    ('12,346', '0.00012', 'yes', 'wav', '–')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, int) or (isinstance(value, float) and abs(value) >= 1000):
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−") if isinstance(value, float) else str(value)


def card(name: str, value: str, note: str = "") -> str:
    """A key figure: its name, which is HTML, its value large, and what is to be said of it."""
    return f'<div class="card"><p class="name">{name}</p><p class="big">{value}</p>{note}</div>'


def numbers(figures: Mapping[str, str]) -> str:
    """A few figures in a line, by name; values are HTML."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in figures.items())
    return f'<dl class="numbers">{items}</dl>' if items else ""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """Rows of cells, which are HTML; the first of each row is its heading."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    head = f"<thead><tr>{head}</tr></thead>" if any(columns) else ""
    return f'<div class="scroll"><table class="plain {kind}">{head}<tbody>{body}</tbody></table></div>'


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """The bounds of an interval, or nothing where they are not known."""
    if low is None or high is None or not math.isfinite(low) or not math.isfinite(high):
        return ""
    return f'<span class="interval">[{number(low, digits)}, {number(high, digits)}]</span>'


def figure(body: str, caption: str) -> str:
    """A plot with its caption, which is HTML and says what is seen and how to read it."""
    return f"<figure>{body}<figcaption>{caption}</figcaption></figure>"


def left_out(why: str) -> str:
    """In the place of a plot that cannot be had."""
    return f'<p class="left-out">Left out: {escape(why)}.</p>'


def clip_button(row: int | str, kind: str = "") -> str:
    """A track's mel that plays its clip; the script fills in picture and sound, each kept once in the page."""
    return f'<button type="button" class="clip {kind}" data-row="{escape(row)}"></button>'


def mel_picture(mel_db: np.ndarray) -> str:
    """A mel (128, 130) in dB below its maximum as a WebP of 2 to 4 KB, base64; low bands at the bottom."""
    return picture(mel_db[::-1], FLOOR_DB, 0.0, "webp", quality=60)


def picture(values: np.ndarray, low: float, high: float, kind: str, **options: Any) -> str:
    """Values (rows, columns) in colors from `low` to `high`, as base64 of a picture of `kind`."""
    file = io.BytesIO()
    imsave(file, values, vmin=low, vmax=high, cmap="magma", format=kind, pil_kwargs=options)
    return base64.b64encode(file.getvalue()).decode()
