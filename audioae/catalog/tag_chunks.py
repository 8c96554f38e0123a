"""Texts in the chunks of wav and aiff files, which mutagen does not read.

Conventions: a text is bytes, as the file has it. Sizes come from the file and may be wrong: nothing is read beyond its
chunk, and no more than 1 MB of one.

Source: RIFF (Microsoft, IBM 1991), section "INFO list chunk"; EBU Tech 3306 (RF64); AIFF (Apple 1989), text chunks.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO, Literal

_INFO = {b"INAM": "title", b"IART": "artist", b"IPRD": "album", b"IGNR": "genre", b"ICRD": "date"}
_AIFF = {b"NAME": "title", b"AUTH": "artist"}
_MOST = 1 << 20
_UNKNOWN = 0xFFFFFFFF  # of RF64: the size is in the chunk ds64


def read_chunk_texts(file: BinaryIO) -> dict[str, bytes]:
    """Texts of a wav (RIFF INFO) or aiff file (NAME, AUTH), by field: title, artist, album, genre, date.

    Parameters
    ----------
    file : BinaryIO
        A file of any kind, seekable.

    Returns
    -------
    dict
        Empty if the file is of another kind, or has no texts.
    """
    file.seek(0)
    head = file.read(12)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
        return _read_info(file)
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        chunks = ((_AIFF[name], text) for name, text in _read_chunks(file, "big", _AIFF))
        return _first_of_each(chunks)
    return {}


def _read_info(file: BinaryIO) -> dict[str, bytes]:
    texts = []
    for _, content in _read_chunks(file, "little", {b"LIST": None}):
        if content[:4] == b"INFO":
            listed = io.BytesIO(content)
            listed.seek(4)
            texts += [(_INFO[name], text) for name, text in _read_chunks(listed, "little", _INFO)]
    return _first_of_each(iter(texts))


def _read_chunks(file: BinaryIO, order: Literal["big", "little"], wanted: dict) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of the wanted chunks from here to the end of the file."""
    data_size = 0
    while len(header := file.read(8)) == 8:
        name, size = header[:4], int.from_bytes(header[4:], order)
        start = file.tell()
        if name == b"ds64":
            data_size = int.from_bytes(file.read(16)[8:], order)
        elif name in wanted:
            yield name, file.read(min(size, _MOST))
        size = data_size if name == b"data" and size == _UNKNOWN else size
        file.seek(start + size + size % 2)


def _first_of_each(texts: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for field, text in texts:
        if text.strip(b"\x00 "):
            found.setdefault(field, text)
    return found
