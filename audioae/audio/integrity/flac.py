"""Follow the numbers of FLAC frames and compare their samples with the claim of STREAMINFO.

A frame's header contains its number and a CRC-8, but no length: the next frame begins at the next header with the
following number and a correct CRC. Damage is found if it reaches a header, which all damage longer than a frame (0.1 s)
does. Damage inside one frame is found by its CRC-16 when it is decoded.

Source: RFC 9639.
"""

from audioae.audio.integrity.container import COPY_AGAIN, Bytes, Container, checked, corrupt
from audioae.errors import AudioError

_SEARCH = 1 << 20  # the next frame must begin within so many bytes


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
    samples, rest, largest = _count_samples(data, position, smallest=int.from_bytes(info[4:7], "big"))
    if samples < claimed and rest > 2 * largest + 16:
        raise corrupt("flac", samples / rate, "the next frame is missing")
    return checked("flac", samples / rate, claimed / rate if claimed else None)


def _count_samples(data: Bytes, position: int, smallest: int) -> tuple[int, int, int]:
    """Samples in the chain of frames, bytes after its last header, bytes of its largest frame."""
    sync = data[position : position + 2]
    number = _utf8_number(data[position + 4 : position + 11])
    samples = largest = 0
    if sync not in (b"\xff\xf8", b"\xff\xf9") or number is None:
        return 0, len(data) - position, 0
    by_sample = sync[1] & 1  # block lengths vary, and numbers count samples instead of frames
    block, following = _block_at(data, position, number), position
    while block:
        largest, position = max(largest, following - position), following
        samples += block
        number += block if by_sample else 1
        block, following = 0, position + max(smallest, 6) - 1
        while not block and (following := data.find(sync, following + 1, position + _SEARCH)) >= 0:
            block = _block_at(data, following, number)
    return samples, len(data) - position, largest


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
