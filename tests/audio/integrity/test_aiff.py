"""Aiff: an 80-bit sample rate of any value."""

import pytest

from audioae.audio.integrity import inspect
from audioae.errors import AudioError


def aiff_of_rate(exponent: int, mantissa: int) -> bytes:
    rate = exponent.to_bytes(2, "big") + mantissa.to_bytes(8, "big")
    comm = b"COMM" + (18).to_bytes(4, "big") + b"\0\1" + (8000).to_bytes(4, "big") + b"\0\x10" + rate
    return b"FORM" + bytes(4) + b"AIFF" + comm + b"SSND" + (16_008).to_bytes(4, "big") + bytes(16_008)


def test_a_rate_of_any_size_is_a_number_or_corrupt():
    assert inspect(aiff_of_rate(16383 + 12, 8000 << 51)).claimed_s == 1.0
    for exponent, mantissa in [
        (0, 0),
        (0, 1),
        (16382, 1 << 63),
        (16383 + 31, 1 << 63),
        (16383 + 64, 1 << 63),
        (32767, 1),
    ]:
        with pytest.raises(AudioError, match=r"corrupt: at 0\.0 s: its header claims a sample rate of"):
            inspect(aiff_of_rate(exponent, mantissa))
