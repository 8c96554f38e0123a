"""Compare the size of the audio of an aiff with the file.

Limit: damage inside plain PCM leaves no trace in the structure.

Source: AIFF (Apple 1989).
"""

import math

from audioae.audio.integrity.chunks import chunks
from audioae.audio.integrity.container import COPY_AGAIN, Bytes, Container, checked, corrupt, number
from audioae.errors import AudioError

_MAX_RATE = 1e9


def walk_aiff(data: Bytes, start: int) -> Container | None:
    """Compare the size of the `SSND` chunk with the file."""
    if data[start : start + 4] != b"FORM" or data[start + 8 : start + 12] not in (b"AIFF", b"AIFC"):
        return None
    claimed_s = None
    for name, position, size in chunks(data, start + 12, "big", "aiff"):
        if name == b"COMM":
            claimed_s = number(data, position + 2, 4, "big", "aiff") / _aiff_rate(data, position + 8)
        if name == b"SSND" and claimed_s is not None:
            share = min((len(data) - position) / size, 1.0) if size else 1.0
            return checked("aiff", share * claimed_s, claimed_s)
    raise AudioError("truncated", f"no audio data in the {len(data):,} bytes of the file (aiff); {COPY_AGAIN}")


def _aiff_rate(data: Bytes, position: int) -> float:
    """The sample rate, an 80-bit float. Raises `AudioError` "corrupt" if it is absurd."""
    exponent = (number(data, position, 2, "big", "aiff") & 0x7FFF) - 16383
    mantissa = number(data, position + 2, 8, "big", "aiff")
    rate = math.ldexp(mantissa, exponent - 63) if exponent < 64 else math.inf
    if not 1 <= rate <= _MAX_RATE:
        raise corrupt("aiff", 0, f"its header claims a sample rate of {rate:.3g} Hz")
    return rate
