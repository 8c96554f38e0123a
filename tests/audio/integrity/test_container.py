"""Lengths of tags around audio, and the tolerance between a claimed and a present duration."""

import pytest

from audioae.audio.integrity.container import Container, checked, number, tag_length
from audioae.errors import AudioError
from tests.audio.decoding import ID3V1, ID3V2


@pytest.mark.parametrize(
    ("tag", "length"),
    [
        (ID3V2, len(ID3V2)),
        (b"ID3\x04\x00\x10\x00\x00\x01\x00" + bytes(148), 10 + 128 + 10),  # with a footer
        (ID3V1, 128),
        (b"APETAGEX\xd0\x07\x00\x00" + (50).to_bytes(4, "little") + bytes(7) + b"\x20" + bytes(58), 32 + 50),
        (b"APETAGEX\xd0\x07\x00\x00" + (50).to_bytes(4, "little") + bytes(16), 32),  # a footer: its items precede it
        (b"RIFF" + bytes(100), 0),
        (b"", 0),
    ],
)
def test_length_of_a_tag(tag: bytes, length: int):
    assert tag_length(b"xx" + tag, 2) == length


def test_a_header_may_claim_a_tenth_of_a_second_too_much():
    assert checked("wav", 9.95, 10.0) == Container("wav", 10.0, 9.95)
    assert checked("ogg", 9.5, None) == Container("ogg", None, 9.5)
    damaged = checked("wav", 9.8, 10.0)
    assert (damaged.claimed_s, damaged.found_s, damaged.resyncs) == (10.0, 9.8, 0)
    assert damaged.missing_s == pytest.approx(0.2)
    assert str(damaged.damage).startswith("truncated: 9.8 of 10.0 s are in the file (wav); download or copy")


def test_a_number_beyond_the_end_is_truncated():
    assert number(b"ab\x00\x01", 2, 2, "big", "aiff") == 1
    with pytest.raises(AudioError, match=r"truncated: the file ends inside a header, at byte 4 \(aiff\)"):
        number(b"ab\x00\x01", 3, 2, "big", "aiff")
