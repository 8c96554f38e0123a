"""What of an ogg file is audio: all packets but the comments, for `audio_bytes.hash_audio`.

Conventions
-----------
- One stream of vorbis, opus or speex. Chained and interleaved streams, and damaged pages, raise `ValueError`.
- A tag editor writes the pages of the headers anew and renumbers the others. So of a page with audio everything is
  hashed but its number and its checksum, which must be right: a decoder drops a page with a wrong one.

Source: RFC 3533 (pages), RFC 5334; Vorbis I, section 4; RFC 7845 (opus).
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_PAGE = struct.Struct("<4sBBqIIIB")  # magic, version, flags, granule, serial, number, checksum, segments
_N_HEADERS = {b"\x01vorbis": 3, b"OpusHead": 2, b"Speex   ": 2}
_MAX_HEADER_BYTES = 64 << 20
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield what is to be hashed. Raises `ValueError` if the file is not one undamaged stream of a known codec."""
    yield b"ogg"
    pages = _pages(file, size)
    headers = _headers(pages)
    yield headers[0]
    yield from headers[2:]
    for flags, granule, lacing, body in pages:
        yield struct.pack("<Bq", flags, granule)
        yield lacing
        yield body


def _headers(pages: Iterator[tuple[int, int, bytes, bytes]]) -> list[bytes]:
    """The header packets; the last of them ends a page."""
    packets, packet, wanted, n_bytes = [], b"", 0, 0
    for _, _, lacing, body in pages:
        at = 0
        for segment in lacing:
            packet += body[at : at + segment]
            at += segment
            if segment < 255:
                packets.append(packet)
                packet = b""
        wanted = wanted or next((n for magic, n in _N_HEADERS.items() if packets and packets[0].startswith(magic)), 0)
        n_bytes += len(body)
        if not wanted or len(packets) > wanted or n_bytes > _MAX_HEADER_BYTES:
            break
        if len(packets) == wanted and not packet:
            return packets
    raise ValueError("not the headers of a known codec")


def _pages(file: BinaryIO, size: int) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield (flags, granule, lacing, body) of each page."""
    position, serial = 0, None
    while position < size:
        file.seek(position)
        head = file.read(_PAGE.size)
        magic, _, flags, granule, stream, _, checksum, n_segments = _PAGE.unpack(head)
        lacing = file.read(n_segments)
        body = file.read(sum(lacing))
        position += len(head) + len(lacing) + len(body)
        is_first, serial = serial is None, stream if serial is None else serial
        if magic != b"OggS" or stream != serial or bool(flags & 2) != is_first:
            raise ValueError("not one stream")
        if _checksum(head[:22] + bytes(4) + head[26:] + lacing + body) != checksum:
            raise ValueError("a damaged page")
        yield flags, granule, lacing, body


def _checksum(page: bytes) -> int:
    """The CRC-32 of ogg: the polynomial of zlib's with the bits in the other order, and no inversion."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
