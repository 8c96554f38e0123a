"""Numbers as people write them: counts with a unit, sizes and durations.

Conventions: k, M and G are powers of ten for counts; KiB, MiB, GiB and TiB are powers of two for bytes.
"""

import re

from audioae.errors import ConfigError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def parse_count(text: str) -> int:
    """A number of tracks: 500, 20k, 100M, 1.5e6 or 1,000,000.

    Raises
    ------
    ConfigError
        If it is none, or below 1.

    >>> [parse_count(text) for text in ("500", "20k", "100M", "1e6", "1,000,000")]
    [500, 20000, 100000000, 1000000, 1000000]
    """
    match = re.fullmatch(r"([\d.]+(?:e\d+)?)\s*([kmg]?)", text.strip().replace(",", "").replace("_", "").lower())
    try:
        count = round(float(match[1]) * _UNITS[match[2]]) if match else 0
    except (ValueError, OverflowError):
        count = 0
    if count < 1:
        raise ConfigError(f"number of tracks: got {text!r}, wanted a number such as 500, 20k, 100M or 1e6")
    return count


def in_count(n: float) -> str:
    """A number for people, of at most three digits and a unit.

    >>> in_count(999), in_count(20_000), in_count(1_234_567), in_count(100e6), in_count(2e9)
    ('999', '20 k', '1.23 M', '100 M', '2 G')
    """
    for unit, power in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if n >= power:
            return f"{n / power:.3g} {unit}"
    return f"{n:.0f}"


def in_bytes(n: float) -> str:
    """A size for people.

    >>> in_bytes(512), in_bytes(3.2 * 2**30), in_bytes(0)
    ('512 B', '3.2 GiB', '0 B')
    """
    power = 0
    while n >= 1024 and power < len(_SIZES) - 1:
        n, power = n / 1024, power + 1
    return f"{n:.0f} {_SIZES[power]}" if power == 0 or n >= 100 else f"{n:.1f} {_SIZES[power]}"


def in_time(seconds: float) -> str:
    """A duration for people.

    >>> in_time(0.4), in_time(42), in_time(4_000), in_time(9_000), in_time(400_000)
    ('0.4 s', '42 s', '67 min', '2.5 h', '4.6 days')
    """
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 9.5 else f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:,.1f} days"
