"""Containers made of chunks with a length: wav, aiff, mp4. The audio chunk must fit into the file.

Limits: damage inside plain PCM leaves no trace in the structure; damage in the aac of an mp4 is found by the decoder.

Why a size of 0 or of 0x7FFFFFF0 and more claims nothing: programs that write wav into a pipe cannot know the size.

Source: RIFF/WAVE (Microsoft, IBM 1991), AIFF (Apple 1989), ISO 14496-12.
"""

from collections.abc import Iterator

from audioae.audio.integrity.container import COPY_AGAIN, Bytes, Container, checked, corrupt
from audioae.errors import AudioError

_UNKNOWN = 0x7FFFFFF0
_BOXES = frozenset(b"ftyp moov mdat moof mfra sidx styp free skip wide uuid udta meta pnot emsg ssix prft".split())


def walk_wav(data: Bytes, start: int) -> Container | None:
    """Compare the size of the `data` chunk with the file."""
    if data[start : start + 4] != b"RIFF" or data[start + 8 : start + 12] != b"WAVE":
        return None
    bytes_per_s = 0
    for name, position, size in _chunks(data, start + 12, "little"):
        if name == b"fmt ":
            bytes_per_s = int.from_bytes(data[position + 8 : position + 12], "little")
        if name == b"data" and bytes_per_s:
            present = len(data) - position
            if size == 0 or size >= _UNKNOWN:
                return Container("wav", None, present / bytes_per_s)
            return checked("wav", min(size, present) / bytes_per_s, size / bytes_per_s)
    raise AudioError("truncated", f"no audio data in the {len(data):,} bytes of the file (wav); {COPY_AGAIN}")


def walk_aiff(data: Bytes, start: int) -> Container | None:
    """Compare the size of the `SSND` chunk with the file."""
    if data[start : start + 4] != b"FORM" or data[start + 8 : start + 12] not in (b"AIFF", b"AIFC"):
        return None
    claimed_s = None
    for name, position, size in _chunks(data, start + 12, "big"):
        if name == b"COMM":
            comm = data[position : position + 18]
            claimed_s = int.from_bytes(comm[2:6], "big") / max(_extended(comm[8:18]), 1.0)
        if name == b"SSND" and claimed_s is not None:
            share = min((len(data) - position) / size, 1.0) if size else 1.0
            return checked("aiff", share * claimed_s, claimed_s)
    raise AudioError("truncated", f"no audio data in the {len(data):,} bytes of the file (aiff); {COPY_AGAIN}")


def walk_mp4(data: Bytes, start: int) -> Container | None:
    """Check that every box fits into the file, and that the audio has an index."""
    if data[start + 4 : start + 8] != b"ftyp":
        return None
    position, claimed_s, indexed = start, None, False
    while data[position + 4 : position + 8] in _BOXES:
        size, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        size = size or len(data) - position
        present = min(size, len(data) - position)
        if name == b"moov":
            claimed_s, indexed = _movie_s(data, position, present), True
        if present < size:
            raise AudioError("truncated", _shortfall(present, size, claimed_s if name == b"mdat" else None))
        if size < 8:
            raise corrupt("mp4", 0, f"a box of {size} bytes at byte {position}")
        position += size
    if not indexed and position < len(data):
        raise corrupt("mp4", 0, f"no index (moov box), and no box at byte {position}")
    if not indexed:
        raise AudioError("truncated", f"{len(data):,} bytes without an index (mp4: no moov box); {COPY_AGAIN}")
    return Container("mp4", claimed_s, claimed_s)


def _shortfall(present: int, size: int, claimed_s: float | None) -> str:
    if claimed_s is None:
        return f"{present:,} of {size:,} bytes are in the file (mp4); {COPY_AGAIN}"
    return f"about {present / size * claimed_s:.1f} of {claimed_s:.1f} s are in the file (mp4); {COPY_AGAIN}"


def _movie_s(data: Bytes, position: int, size: int) -> float | None:
    """The duration from the `mvhd` box of the `moov` box at `position`; `None` if it has none (fragmented files)."""
    at = data.find(b"mvhd", position, position + size)
    if at < 0:
        return None
    wide = data[at + 4] == 1
    fields = data[at + (24 if wide else 16) : at + (36 if wide else 24)]
    scale, duration = int.from_bytes(fields[:4], "big"), int.from_bytes(fields[4:], "big")
    return duration / scale if scale and duration else None


def _chunks(data: Bytes, position: int, order) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, position of the content, size) of each chunk."""
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], order)
        yield data[position : position + 4], position + 8, size
        position += 8 + size + size % 2


def _extended(number: bytes) -> float:
    """An 80-bit float, the format of AIFF's sample rate."""
    exponent, mantissa = int.from_bytes(number[:2], "big") & 0x7FFF, int.from_bytes(number[2:], "big")
    return float(mantissa) * 2.0 ** (exponent - 16383 - 63) if mantissa else 0.0
