"""Containers made of chunks with a length: wav, aiff, mp4. The audio chunk must fit into the file.

Limits: damage inside plain PCM leaves no trace in the structure; damage in the aac of an mp4 is found by the decoder.

Why a size of 0 or of 0x7FFFFFF0 and more claims nothing: programs that write wav into a pipe cannot know the size.
Why the byte rate of a wav is not read: many programs write a wrong one, and nothing depends on it.

Source: RIFF/WAVE (Microsoft, IBM 1991), RF64 (EBU Tech 3306), AIFF (Apple 1989), ISO 14496-12.
"""

import math
from collections.abc import Iterator
from typing import Literal

from audioae.audio.integrity.container import (
    COPY_AGAIN,
    MAX_CHUNKS,
    Bytes,
    Container,
    checked,
    corrupt,
    cut,
    number,
)
from audioae.errors import AudioError

_UNKNOWN = 0x7FFFFFF0
_LINEAR = {1: "pcm", 3: "float", 6: "a-law", 7: "mu-law"}  # formats in which every frame has the same number of bytes
_EXTENSIBLE = 0xFFFE
_MAX_RATE = 1e9
_BOXES = frozenset(b"ftyp moov mdat moof mfra sidx styp free skip wide uuid udta meta pnot emsg ssix prft".split())


def walk_wav(data: Bytes, start: int) -> Container | None:
    """Compare the size of the `data` chunk with the file."""
    if data[start : start + 4] not in (b"RIFF", b"RF64", b"BW64") or data[start + 8 : start + 12] != b"WAVE":
        return None
    bytes_per_s = rate = samples = large = 0
    for name, position, size in _chunks(data, start + 12, "little", "wav"):
        if name == b"ds64":
            large = number(data, position + 8, 8, "little", "wav")
        elif name == b"fmt ":
            rate, bytes_per_s = _wav_format(data, position, size)
        elif name == b"fact" and size >= 4:
            samples = number(data, position, 4, "little", "wav")
        elif name == b"data" and rate:
            size = large if large and size == 0xFFFFFFFF else size
            known = size > 0 and (size < _UNKNOWN or size == large)
            return _wav_data(size if known else None, len(data) - position, bytes_per_s, samples / rate)
    raise AudioError("truncated", f"no audio data in the {len(data):,} bytes of the file (wav); {COPY_AGAIN}")


def _wav_format(data: Bytes, position: int, size: int) -> tuple[int, int]:
    """Sample rate, and bytes per second: 0 for a codec whose frames have no fixed size."""
    tag, channels = (number(data, position + at, 2, "little", "wav") for at in (0, 2))
    rate, block = number(data, position + 4, 4, "little", "wav"), number(data, position + 12, 2, "little", "wav")
    bits = number(data, position + 14, 2, "little", "wav") if size >= 16 else 8
    if tag == _EXTENSIBLE and size >= 26:
        tag = number(data, position + 24, 2, "little", "wav")
    return rate, rate * (block or channels * -(-bits // 8)) if tag in _LINEAR else 0


def _wav_data(size: int | None, present: int, bytes_per_s: int, fact_s: float) -> Container:
    """`size` is what the data chunk claims, `None` if it claims nothing; `fact_s` is 0 without a chunk `fact`."""
    if size is None:
        return Container("wav", None, present / bytes_per_s if bytes_per_s else None)
    if bytes_per_s:
        return checked("wav", min(size, present) / bytes_per_s, size / bytes_per_s)
    if present >= size:
        return Container("wav", fact_s or None)
    if not fact_s:
        return cut("wav", None, _shortfall("wav", present, size, None))
    return checked("wav", present / size * fact_s, fact_s)


def walk_aiff(data: Bytes, start: int) -> Container | None:
    """Compare the size of the `SSND` chunk with the file."""
    if data[start : start + 4] != b"FORM" or data[start + 8 : start + 12] not in (b"AIFF", b"AIFC"):
        return None
    claimed_s = None
    for name, position, size in _chunks(data, start + 12, "big", "aiff"):
        if name == b"COMM":
            claimed_s = number(data, position + 2, 4, "big", "aiff") / _aiff_rate(data, position + 8)
        if name == b"SSND" and claimed_s is not None:
            share = min((len(data) - position) / size, 1.0) if size else 1.0
            return checked("aiff", share * claimed_s, claimed_s)
    raise AudioError("truncated", f"no audio data in the {len(data):,} bytes of the file (aiff); {COPY_AGAIN}")


def _aiff_rate(data: Bytes, position: int) -> float:
    """The sample rate, an 80-bit float. Raises `AudioError` "corrupt" if it is absurd."""
    exponent = (number(data, position, 2, "big", "aiff") & 0x7FFF) - 16383
    mantissa = number(data, position + 2, 8, "big", "aiff")
    rate = math.ldexp(mantissa, exponent - 63) if exponent < 64 else math.inf
    if not 1 <= rate <= _MAX_RATE:
        raise corrupt("aiff", 0, f"its header claims a sample rate of {rate:.3g} Hz")
    return rate


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
    detail = _shortfall("mp4", present, size, claimed_s if name == b"mdat" else None)
    if not indexed or name == b"moov":
        raise AudioError("truncated", f"{detail}; {COPY_AGAIN}")
    if claimed_s is None or name == b"moof":
        return cut("mp4", None, detail)
    error = AudioError("truncated", f"{detail}; {COPY_AGAIN}")
    return Container("mp4", claimed_s, None, error, (1 - present / size) * claimed_s)


def _shortfall(kind: str, present: int, size: int, claimed_s: float | None) -> str:
    if claimed_s is None:
        return f"{present:,} of {size:,} bytes are in the file ({kind})"
    return f"about {present / size * claimed_s:.1f} of {claimed_s:.1f} s are in the file ({kind})"


def _movie_s(data: Bytes, position: int, size: int) -> float | None:
    """The duration from the `mvhd` box of the `moov` box at `position`; `None` if it has none (fragmented files)."""
    at = data.find(b"mvhd", position, position + size)
    if at < 0:
        return None
    wide = number(data, at + 4, 1, "big", "mp4") == 1
    scale = number(data, at + (24 if wide else 16), 4, "big", "mp4")
    duration = number(data, at + (28 if wide else 20), 8 if wide else 4, "big", "mp4")
    return duration / scale if scale and duration else None


def _chunks(data: Bytes, position: int, order: Literal["little", "big"], kind: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, position of the content, size) of each chunk."""
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(data):
            return
        size = number(data, position + 4, 4, order, kind)
        yield data[position : position + 4], position + 8, size
        position += 8 + size + size % 2
    raise corrupt(kind, 0, f"more than {MAX_CHUNKS:,} chunks")
