"""Follow the numbers of FLAC frames and compare their samples with the claim of STREAMINFO.

A frame's header contains its number and a CRC-8, but no length: the next frame begins at the next header with the
following number and a correct CRC. Damage is found if it reaches a header, which all damage longer than a frame (0.1 s)
does; the chain goes on at the next header of the same form with a later number. Damage inside one frame is found by its
CRC-16 when it is decoded.

Source: RFC 9639.
"""

from dataclasses import dataclass, replace

from audioae.audio.integrity.container import COPY_AGAIN, MAX_CHUNKS, Bytes, Container, checked, corrupt
from audioae.errors import AudioError

_SEARCH = 1 << 20  # the next frame must begin within so many bytes
_JUMP = 1000  # frames that one gap may have swallowed


def walk_flac(data: Bytes, start: int) -> Container | None:
    """Read the metadata, then count the samples of the frames."""
    if data[start : start + 4] != b"fLaC":
        return None
    info = data[start + 8 : start + 42]
    rate = int.from_bytes(info[10:13], "big") >> 4
    if not rate:
        raise corrupt("flac", 0, "no valid STREAMINFO")
    claimed = int.from_bytes(info[13:18], "big") & (1 << 36) - 1
    position, last = start + 4, False
    while not last:
        head = data[position : position + 4]
        if len(head) < 4:
            raise AudioError("truncated", f"0.0 of {claimed / rate:.1f} s are in the file (flac); {COPY_AGAIN}")
        last, position = bool(head[0] & 0x80), position + 4 + int.from_bytes(head[1:], "big")
    chain = _walk(data, position, smallest=int.from_bytes(info[4:7], "big"))
    container = checked("flac", chain.samples / rate, claimed / rate if claimed else None)
    if chain.samples < claimed and chain.rest > 2 * chain.largest + 16:
        chain.broken_at = chain.samples if chain.broken_at is None else chain.broken_at
    if chain.broken_at is None:
        return container
    error = corrupt("flac", chain.broken_at / rate, "the next frame is missing")
    missing_s = max(chain.missing / rate, container.missing_s)
    return replace(container, damage=error, missing_s=missing_s, resyncs=chain.gaps)


@dataclass
class _Chain:
    """The frames of a file: their samples; the samples between them that are missing, in `gaps` places, the first at
    sample `broken_at`; bytes of the largest frame, and bytes after the last header."""

    samples: int = 0
    missing: int = 0
    gaps: int = 0
    broken_at: int | None = None
    largest: int = 0
    rest: int = 0


def _walk(data: Bytes, position: int, smallest: int) -> _Chain:
    """Follow the frames from `position` on; `smallest` is the size of the smallest one, from STREAMINFO."""
    chain = _Chain()
    sync = data[position : position + 2]
    number = _utf8_number(data[position + 4 : position + 11])
    by_sample = sync[1:] == b"\xf9"  # block lengths vary, and numbers count samples instead of frames
    block = _block_at(data, position, number) if sync in (b"\xff\xf8", b"\xff\xf9") and number is not None else 0
    while block and number is not None:
        chain.samples += block
        expected = number + (block if by_sample else 1)
        following = _find(data, position, position + max(smallest, 6), expected, expected)
        if following is None and chain.gaps < MAX_CHUNKS:
            farthest = expected + _JUMP * (block if by_sample else 1)
            following = _find(data, position, position + 6, expected + 1, farthest)
            if following is not None:
                chain.gaps += 1
                chain.broken_at = chain.samples if chain.broken_at is None else chain.broken_at
                chain.missing += (following[1] - expected) * (1 if by_sample else block)
        if following is None:
            break
        chain.largest = max(chain.largest, following[0] - position)
        position, number, block = following
    chain.rest = len(data) - position
    return chain


def _find(data: Bytes, last: int, start: int, lowest: int, highest: int) -> tuple[int, int, int] | None:
    """Find a header with a number between two, from `start` on: its position, its number and its samples.

    If more than one number is possible, it must have the form (length and rate) of the header at `last`.
    """
    sync, form = data[last : last + 2], data[last + 2 : last + 3]
    at = data.find(sync, start, last + _SEARCH)
    while at >= 0:
        number = _utf8_number(data[at + 4 : at + 11])
        if number is not None and lowest <= number <= highest and (lowest == highest or data[at + 2 : at + 3] == form):
            block = _block_at(data, at, number)
            if block:
                return at, number, block
        at = data.find(sync, at + 1, last + _SEARCH)
    return None


def _block_at(data: Bytes, position: int, number: int) -> int:
    """Samples in the frame with this number whose header is at `position`; 0 if there is no such header."""
    head = data[position : position + 16]
    coded = _utf8_coded(number)
    end = 4 + len(coded)
    if head[4:end] != coded:
        return 0
    code = head[2] >> 4
    extra = {6: 1, 7: 2}.get(code, 0)
    crc_at = end + extra + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if code == 0 or crc_at >= len(head) or _crc8(head[:crc_at]) != head[crc_at]:
        return 0
    if extra:
        return int.from_bytes(head[end : end + extra], "big") + 1
    return 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8


def _utf8_coded(number: int) -> bytes:
    """Code a number in UTF-8 without the limits of Unicode: up to 36 bits in seven bytes."""
    if number < 0x80:
        return bytes([number])
    n_more = next(n for n in range(1, 7) if number < 1 << 5 * n + 6)
    tail = [0x80 | number >> 6 * i & 0x3F for i in reversed(range(n_more))]
    return bytes([(0xFF << 7 - n_more & 0xFF) | number >> 6 * n_more, *tail])


def _utf8_number(coded: bytes) -> int | None:
    """Decode the number at the start of `coded`; `None` if it is not valid."""
    if not coded or 0x80 <= coded[0] < 0xC0 or coded[0] == 0xFF:
        return None
    ones = 8 - (coded[0] ^ 0xFF).bit_length()
    number = coded[0] & 0x7F >> ones
    for byte in coded[1:ones]:
        number = number << 6 | byte & 0x3F
    return number


def _crc8_table() -> bytes:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value << 1 ^ (0x07 if value & 0x80 else 0)) & 0xFF
        table.append(value)
    return bytes(table)


_CRC8 = _crc8_table()


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc
