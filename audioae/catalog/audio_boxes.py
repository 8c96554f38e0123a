"""What of an mp4 (m4a, m4b) is audio, for `audio_bytes.hash_audio`: samples, and the boxes that describe them.

Conventions
-----------
- A tag editor replaces `udta`, `meta` and `free` boxes, and with their size the samples move: offsets of samples are
  hashed relative to their `mdat` box.
- Of the tags, only the lengths of encoder delay and padding (`iTunSMPB`) matter: decoders cut the audio by them.
- Fragmented files raise `ValueError`.

Source: ISO 14496-12.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

_MAX_BOXES = 10_000
_MAX_MOOV_BYTES = 32 << 20
_TEXT = (b"udta", b"meta", b"free", b"skip", b"wide", b"uuid")
_NESTED = (b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf")
_OFFSETS = {b"stco": ">u4", b"co64": ">u8"}
_DELAY_BYTES = 160


def mp4_pieces(file: BinaryIO, size: int) -> Iterator[bytes | tuple[int, int]]:
    """Yield what is to be hashed. Raises `ValueError` if the boxes do not fit into the file, or are of other kinds."""
    boxes = list(_boxes_of_file(file, size))
    samples = [(start, stop) for name, start, stop in boxes if name == b"mdat"]
    for name, start, stop in boxes:
        if name == b"moov":
            if stop - start > _MAX_MOOV_BYTES:
                raise ValueError("a moov box with too many bytes to look into")
            file.seek(start)
            yield from _moov(file.read(stop - start), samples)
        elif name == b"mdat":
            yield b"mdat"
            yield start, stop
        elif name == b"ftyp":
            yield b"ftyp"
        elif name not in _TEXT:
            raise ValueError(f"a box {name!r}")


def _boxes_of_file(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, start of the content, stop) of the outermost boxes."""
    position = 0
    for _ in range(_MAX_BOXES):
        if position == size:
            return
        file.seek(position)
        head = file.read(16)
        length, name = struct.unpack(">I4s", head[:8])
        skip = 8
        if length == 1:
            length, skip = struct.unpack(">8xQ", head)[0], 16
        length = length or size - position
        if length < skip or position + length > size:
            raise ValueError("a box that does not fit into the file")
        yield name, position + skip, position + length
        position += length
    raise ValueError("too many boxes")


def _moov(data: bytes, samples: list[tuple[int, int]]) -> Iterator[bytes]:
    position = 0
    for _ in range(_MAX_BOXES):
        if position >= len(data):
            return
        length, name = struct.unpack(">I4s", data[position : position + 8])
        content = data[position + 8 : position + length]
        if length < 8 or position + length > len(data):
            raise ValueError("a box that does not fit into its box")
        position += length
        if name in _TEXT:
            at = content.find(b"iTunSMPB")
            yield content[at : at + _DELAY_BYTES] if at >= 0 else b""
        elif name in _NESTED:
            yield name
            yield from _moov(content, samples)
        elif name in _OFFSETS:
            yield name
            yield _relative(content, _OFFSETS[name], samples)
        else:
            yield struct.pack(">I", len(content)) + name + content
    raise ValueError("too many boxes")


def _relative(content: bytes, kind: str, samples: list[tuple[int, int]]) -> bytes:
    """Offsets of samples from the start of the `mdat` box that holds them."""
    import numpy as np

    n = struct.unpack(">4xI", content[:8])[0]
    offsets = np.frombuffer(content[8:], kind)
    starts = np.array([start for start, _ in samples], np.uint64)
    box = np.searchsorted(starts, offsets.astype(np.uint64), side="right") - 1
    if len(offsets) != n or (box < 0).any():
        raise ValueError("offsets that lie outside of the samples")
    return box.astype("<i8").tobytes() + (offsets.astype(np.uint64) - starts[box]).astype("<u8").tobytes()
