"""Check that the boxes of an mp4 fit into the file. Damage of the audio in it is found by the decoder.

Source: ISO 14496-12.
"""

from audioae.audio.integrity.container import COPY_AGAIN, MAX_CHUNKS, Bytes, Container, corrupt, cut, number, shortfall
from audioae.errors import AudioError

_BOXES = frozenset(b"ftyp moov mdat moof mfra sidx styp free skip wide uuid udta meta pnot emsg ssix prft".split())


def walk_mp4(data: Bytes, start: int) -> Container | None:
    """Check that every box up to the last one with audio fits into the file, and that the audio has an index."""
    if data[start + 4 : start + 8] != b"ftyp":
        return None
    position, claimed_s, indexed = start, None, False
    for _ in range(MAX_CHUNKS):
        name = data[position + 4 : position + 8]
        if name not in _BOXES:
            break
        size = number(data, position, 4, "big", "mp4")
        if size == 1:
            size = number(data, position + 8, 8, "big", "mp4")
        size = size or len(data) - position
        if size < 8:
            raise corrupt("mp4", 0, f"a box of {size} bytes at byte {position}")
        present = min(size, len(data) - position)
        if name == b"moov":
            claimed_s, indexed = _movie_s(data, position, present), True
        if present < size:
            return _cut_mp4(name, present, size, claimed_s, indexed)
        position += size
    if not indexed and position < len(data):
        raise corrupt("mp4", 0, f"no index (moov box), and no box at byte {position}")
    if not indexed:
        raise AudioError("truncated", f"{len(data):,} bytes without an index (mp4: no moov box); {COPY_AGAIN}")
    return Container("mp4", claimed_s)


def _cut_mp4(name: bytes, present: int, size: int, claimed_s: float | None, indexed: bool) -> Container:
    """The `Container` of a file that ends inside the box `name`."""
    if indexed and name not in (b"moov", b"mdat", b"moof"):
        return Container("mp4", claimed_s)
    detail = shortfall("mp4", present, size, claimed_s if name == b"mdat" else None)
    if not indexed or name == b"moov":
        raise AudioError("truncated", f"{detail}; {COPY_AGAIN}")
    if claimed_s is None or name == b"moof":
        return cut("mp4", None, detail)
    error = AudioError("truncated", f"{detail}; {COPY_AGAIN}")
    return Container("mp4", claimed_s, None, error, (1 - present / size) * claimed_s)


def _movie_s(data: Bytes, position: int, size: int) -> float | None:
    """The duration from the `mvhd` box of the `moov` box at `position`; `None` if it has none (fragmented files)."""
    at = data.find(b"mvhd", position, position + size)
    if at < 0:
        return None
    wide = number(data, at + 4, 1, "big", "mp4") == 1
    scale = number(data, at + (24 if wide else 16), 4, "big", "mp4")
    duration = number(data, at + (28 if wide else 20), 8 if wide else 4, "big", "mp4")
    return duration / scale if scale and duration else None
