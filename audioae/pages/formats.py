"""Numbers and times as the pages write them.

Convention: a minus is a true minus sign, and a number that does not exist is a dash.
"""

import math
from typing import Any

DASH = "–"


def number(value: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """A number with a fixed number of digits.

    >>> number(-0.1234), number(None), number(0.5, 2, sign=True)
    ('−0.123', '–', '+0.50')
    """
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def count(value: int) -> str:
    """A whole number with separators.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,}"


def percent(share: float, digits: int = 0) -> str:
    """A share of 1 in percent.

    >>> percent(0.5), percent(0.0123, 1)
    ('50 %', '1.2 %')
    """
    return f"{100 * share:.{digits}f} %"


def brief(value: Any) -> str:
    """Any value as short text; numbers have three significant digits.

    >>> brief(12345.6), brief(0.00012), brief(True), brief("wav"), brief(None)
    ('12,346', '0.00012', 'yes', 'wav', '–')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    if isinstance(value, int) or (isinstance(value, float) and abs(value) >= 1000):
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−") if isinstance(value, float) else str(value)


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """The bounds of an interval in brackets; "" if they are unknown.

    >>> interval(0.25, 0.5), interval(None, 0.5)
    ('[0.250, 0.500]', '')
    """
    if low is None or high is None or not math.isfinite(low) or not math.isfinite(high):
        return ""
    return f"[{number(low, digits)}, {number(high, digits)}]"


def clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> clock(59.96), clock(61.5)
    ('1:00.0', '1:01.5')
    """
    minutes, tenths = divmod(round(10 * seconds), 600)
    return f"{minutes}:{tenths / 10:04.1f}"


def words(name: object) -> str:
    """An identifier as words.

    >>> words("held_out")
    'held out'
    """
    return str(name).replace("_", " ")
