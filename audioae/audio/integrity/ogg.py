"""Walk the pages of an ogg file (Vorbis, Opus, FLAC, Speex) and check that each is complete and has a correct CRC.

A page contains its length, a CRC-32 and a granule position: the number of samples up to its end. The length of the
stream is not stored elsewhere, so how much of a truncated ogg is missing is unknown.

Why a file that ends with a page is complete even without an end-of-stream mark: recordings of web radio end like that.

Source: RFC 3533.
"""

import struct
import zlib

from audioae.audio.integrity.container import COPY_AGAIN, Bytes, Container, corrupt
from audioae.errors import AudioError

_HEADER = struct.Struct("<4sBBqIIIB")
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def walk_ogg(data: Bytes, start: int) -> Container | None:
    """Check every page. Junk after the last page is no fault."""
    if data[start : start + 4] != b"OggS":
        return None
    position, rate, found_s, size = start, 0, 0.0, len(data)
    while position < size and data[position : position + 4] == b"OggS":
        header = data[position : position + _HEADER.size]
        if len(header) < _HEADER.size:
            raise _truncated(found_s)
        granule, crc, n_segments = header[6:14], header[22:26], header[26]
        segments = data[position + 27 : position + 27 + n_segments]
        end = position + 27 + n_segments + sum(segments)
        if len(segments) < n_segments or end > size:
            raise _truncated(found_s)
        page = data[position:end]
        if _crc(page[:22] + bytes(4) + page[26:]) != int.from_bytes(crc, "little"):
            raise corrupt("ogg", found_s, f"wrong checksum of the page at byte {position}")
        rate = rate or _rate(page[27 + n_segments :])
        if rate:
            found_s = max(found_s, int.from_bytes(granule, "little", signed=True) / rate)
        position = end
    if data.find(b"OggS", position) >= 0:
        raise corrupt("ogg", found_s, f"no page at byte {position}")
    return Container("ogg", None, found_s if rate else None)


def _truncated(found_s: float) -> AudioError:
    detail = f"{found_s:.1f} s, then it ends inside a page (ogg does not store the full length); {COPY_AGAIN}"
    return AudioError("truncated", detail)


def _rate(packet: bytes) -> int:
    """Granules per second, from the first packet of a stream; 0 if the codec is unknown."""
    if packet[:7] == b"\x01vorbis":
        return int.from_bytes(packet[12:16], "little")
    return 48_000 if packet[:8] == b"OpusHead" else 0


def _crc(page: bytes) -> int:
    """CRC-32 with ogg's polynomial, highest bit first, from 0: zlib's CRC of the same bits in reverse."""
    state = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(state.to_bytes(4, "little").translate(_REVERSED), "big")
