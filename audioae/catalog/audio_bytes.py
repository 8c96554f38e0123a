"""A hash of a file's audio without its tags: a file whose tags were edited keeps it, so nothing needs decoding again.

Conventions
-----------
- What is hashed determines the decode. What cannot be separated from its tags with certainty has no hash (`None`); the
  hash of the whole file stands in for it then.
- mp3, aac, wavpack, ape, mpc, tta: everything but the tags in front (ID3v2) and behind (ID3v1, APEv2, Lyrics3, ID3v2).
- flac: STREAMINFO and the frames. wav, aiff: every chunk that is not known to hold text or padding. ogg: see
  `audio_ogg.py`; m4a: see `audio_boxes.py`.

Why chunks are left out by name, not chosen by name: an unknown chunk may change what a decoder does.
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from audioae.catalog.audio_boxes import mp4_pieces
from audioae.catalog.audio_ogg import ogg_pieces

_BLOCK = 1 << 20
_MAX_CHUNKS = 10_000
_MAX_TAGS = 16
_TEXT = frozenset((b"id3 ", b"ID3 ", b"bext", b"iXML", b"axml", b"_PMX", b"JUNK", b"junk", b"PAD ", b"FLLR", b"DISP"))
_AIFF_TEXT = frozenset((b"NAME", b"AUTH", b"(c) ", b"ANNO", b"COMT", b"ID3 ", b"id3 "))
_LISTS = (b"INFO", b"adtl")
_STREAMS = (b"wvpk", b"MAC ", b"MPCK", b"MP+", b"TTA1")

Piece = bytes | tuple[int, int]  # bytes, or the (start, stop) of bytes in the file


def hash_audio(path: str | Path) -> str | None:
    """The BLAKE2b-128 hash of a file's audio without its tags.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    hash : str, or None
        32 hex digits. `None` if the file cannot be read, its format is not known, or its structure is damaged.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:
            for piece in _pieces(file, os.fstat(file.fileno()).st_size):
                for block in [piece] if isinstance(piece, bytes) else _blocks(file, *piece):
                    digest.update(block)
    except (OSError, ValueError, struct.error):
        return None
    return digest.hexdigest()


def _blocks(file: BinaryIO, start: int, stop: int) -> Iterator[bytes]:
    file.seek(start)
    while start < stop:
        block = file.read(min(_BLOCK, stop - start))
        if not block:
            raise ValueError("the file became shorter while it was read")
        start += len(block)
        yield block


def _pieces(file: BinaryIO, size: int) -> Iterator[Piece]:
    """What is to be hashed. Raises `ValueError` if the format is unknown, or the structure does not fit."""
    start = _leading_tags(file, size)
    head = _read(file, start, 12)
    if head[:4] == b"fLaC":
        return _flac(file, start, size)
    if (head[:1] == b"\xff" and head[1:2] >= b"\xe0") or head.startswith(_STREAMS):
        return iter([b"stream", (start, _without_trailing_tags(file, start, size))])
    if start:
        raise ValueError("an ID3 tag in front of a format that has other tags")
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
        return _chunks(file, size, "<", _TEXT, head[:4])
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return _chunks(file, size, ">", _AIFF_TEXT, head[8:])
    if head[:4] == b"OggS":
        return ogg_pieces(file, size)
    if head[4:8] == b"ftyp":
        return mp4_pieces(file, size)
    raise ValueError("not a format whose tags are known")


def _read(file: BinaryIO, start: int, n: int) -> bytes:
    file.seek(max(start, 0))
    return file.read(n)


def _leading_tags(file: BinaryIO, size: int) -> int:
    start = 0
    for _ in range(_MAX_TAGS):
        head = _read(file, start, 10)
        if head[:3] != b"ID3" or len(head) < 10:
            return start
        start += 10 + _syncsafe(head[6:]) + (10 if head[5] & 0x10 else 0)
        if start >= size:
            raise ValueError("an ID3 tag that reaches beyond the end of the file")
    raise ValueError("too many tags")


def _without_trailing_tags(file: BinaryIO, start: int, stop: int) -> int:
    for _ in range(_MAX_TAGS):
        shorter = stop - _trailing_tag(file, stop)
        if shorter < start:
            raise ValueError("a tag that is longer than the file")
        if shorter == stop:
            return stop
        stop = shorter
    raise ValueError("too many tags")


def _trailing_tag(file: BinaryIO, stop: int) -> int:
    """The length of the tag that ends at `stop`; 0 if there is none."""
    end = _read(file, stop - 227, min(stop, 227))
    if end[-128:-125] == b"TAG" and len(end) >= 128:
        return 227 + 128 if _read(file, stop - 128 - 227, 4) == b"TAG+" and stop >= 355 else 128
    if end[-32:-24] == b"APETAGEX":
        length, _, flags = struct.unpack("<III", end[-20:-8])
        return length + (32 if flags >> 31 else 0)
    if end[-9:] == b"LYRICS200" and end[-15:-9].isdigit():
        return int(end[-15:-9]) + 15
    if end[-9:] == b"LYRICSEND":
        found = _read(file, stop - 5120, min(stop, 5120)).rfind(b"LYRICSBEGIN")
        return min(stop, 5120) - found if found >= 0 else 0
    if end[-10:-7] == b"3DI":
        return 20 + _syncsafe(end[-4:])
    return 0


def _syncsafe(four: bytes) -> int:
    if max(four) > 0x7F:
        raise ValueError("not a size of an ID3 tag")
    return four[0] << 21 | four[1] << 14 | four[2] << 7 | four[3]


def _flac(file: BinaryIO, start: int, size: int) -> Iterator[Piece]:
    yield b"flac" if not start else b"flac behind ID3"
    position = start + 4
    for _ in range(_MAX_CHUNKS):
        kind, *length = _read(file, position, 4)
        position += 4 + int.from_bytes(length, "big")
        if position > size:
            raise ValueError("a metadata block that reaches beyond the end of the file")
        if kind & 0x7F == 0:
            yield _read(file, position - int.from_bytes(length, "big"), int.from_bytes(length, "big"))
        if kind & 0x80:
            yield position, _without_trailing_tags(file, position, size)
            return
    raise ValueError("too many metadata blocks")


def _chunks(file: BinaryIO, size: int, order: str, text: frozenset[bytes], kind: bytes) -> Iterator[Piece]:
    """Every chunk of a wav or aiff that is not text, with its name and claimed length; the last may be cut off."""
    yield kind
    position = 12
    for _ in range(_MAX_CHUNKS):
        head = _read(file, position, 12)
        if len(head) < 8:
            return
        length = struct.unpack(f"{order}4xI", head[:8])[0]
        stop = position + 8 + length
        if stop > size or (head[:4] == b"data" and length == 0):
            yield head[:8]
            yield position + 8, size
            return
        if head[:4] not in text and not (head[:4] == b"LIST" and head[8:] in _LISTS):
            yield head[:8]
            yield position + 8, stop
        position = stop + length % 2
    raise ValueError("too many chunks")
