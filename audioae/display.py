r"""Text of strangers (tags, paths, titles) as a terminal, a playlist, a CSV or a page shows it.

Conventions
-----------
- Characters that steer a terminal, break a line or reverse the reading order are shown as Python writes them: `\n`,
  `\x1b`, `\u202e`. So are lone surrogates, which no file can hold. All other text is shown as it is,
  and the store keeps all of it.
"""

import re
from typing import Any

LONGEST = 500  # characters that are shown of a text
FORMULA_STARTS = tuple("=+-@\t\r＝＋－＠")  # a spreadsheet computes cells that begin with one of these

# C0, DEL and C1, line and paragraph separators, bidi embeddings, overrides and isolates, surrogates.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Lines(str):
    """Text whose line breaks are ours."""

    __slots__ = ()


def shown(text: str, longest: int | None = LONGEST) -> str:
    r"""Escape what must not be shown as it is, and cut what is long; `Lines` keep their line breaks.

    Parameters
    ----------
    text : str
    longest : int, optional
        The most characters; None: any number.

    >>> shown("two\nlines \x1b[31m"), shown("x" * 9, 5)
    ('two\\nlines \\x1b[31m', 'xxxx…')
    """
    keep = "\n" if isinstance(text, Lines) else ""
    if longest is not None and len(text) > longest:
        text = text[: longest - 1] + "…"
    return _HIDDEN.sub(lambda found: found[0] if found[0] == keep else ascii(found[0])[1:-1], text)


def drawn(text: str, longest: int = 80) -> str:
    r"""Text for matplotlib, which takes what is between two dollar signs for a formula.

    >>> drawn("$\\frac$")
    '\\$\\frac\\$'
    """
    return shown(text, longest).replace("$", r"\$")


def csv_cell(value: Any) -> Any:
    """A cell of a CSV: text is escaped, and gets an apostrophe where a spreadsheet would compute it.

    >>> csv_cell("=1+1"), csv_cell("two\\nlines"), csv_cell(-1.5)
    ("'=1+1", 'two\\\\nlines', -1.5)
    """
    if not isinstance(value, str):
        return value
    guard = "'" if value.startswith(FORMULA_STARTS) else ""
    return guard + shown(value, None)
