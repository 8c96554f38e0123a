"""Compare the size of the audio of a wav, rf64 or w64 with the file.

Limit: damage inside plain PCM leaves no trace in the structure.

Why a size of 0 or of 0x7FFFFFF0 and more claims nothing: programs that write wav into a pipe cannot know the size.
Why the byte rate is not read: many programs write a wrong one, and nothing depends on it.

Source: RIFF/WAVE (Microsoft, IBM 1991), RF64 (EBU Tech 3306), Sony Wave64.
"""

from audioae.audio.integrity.chunks import chunks
from audioae.audio.integrity.container import COPY_AGAIN, MAX_CHUNKS, Bytes, Container, checked, cut, number, shortfall
from audioae.errors import AudioError

_UNKNOWN = 0x7FFFFFF0
_LINEAR = (1, 3, 6, 7)  # PCM, float, A-law, mu-law: every frame has the same number of bytes
_EXTENSIBLE = 0xFFFE
_W64 = b"riff\x2e\x91\xcf\x11"
_W64_HEAD = 24  # a GUID and a size, which counts them


def walk_wav(data: Bytes, start: int) -> Container | None:
    """Compare the size of the `data` chunk with the file."""
    if data[start : start + 4] not in (b"RIFF", b"RF64", b"BW64") or data[start + 8 : start + 12] != b"WAVE":
        return None
    bytes_per_s = rate = samples = large = 0
    for name, position, size in chunks(data, start + 12, "little", "wav"):
        if name == b"ds64":
            large = number(data, position + 8, 8, "little", "wav")
        elif name == b"fmt ":
            rate, bytes_per_s = _wav_format(data, position, size)
        elif name == b"fact" and size >= 4:
            samples = number(data, position, 4, "little", "wav")
        elif name == b"data" and rate:
            size = large if large and size == 0xFFFFFFFF else size
            known = size > 0 and (size < _UNKNOWN or size == large)
            return _wav_data("wav", size if known else None, len(data) - position, bytes_per_s, samples / rate)
    raise AudioError("truncated", f"no audio data in the {len(data):,} bytes of the file (wav); {COPY_AGAIN}")


def _wav_format(data: Bytes, position: int, size: int) -> tuple[int, int]:
    """Sample rate, and bytes per second: 0 for a codec whose frames have no fixed size."""
    tag, channels = (number(data, position + at, 2, "little", "wav") for at in (0, 2))
    rate, block = number(data, position + 4, 4, "little", "wav"), number(data, position + 12, 2, "little", "wav")
    bits = number(data, position + 14, 2, "little", "wav") if size >= 16 else 8
    if tag == _EXTENSIBLE and size >= 26:
        tag = number(data, position + 24, 2, "little", "wav")
    return rate, rate * (block or channels * -(-bits // 8)) if tag in _LINEAR else 0


def _wav_data(kind: str, size: int | None, present: int, bytes_per_s: int, fact_s: float) -> Container:
    """`size` is what the data chunk claims, `None` if it claims nothing; `fact_s` is 0 without a chunk `fact`."""
    if size is None:
        return Container(kind, None, present / bytes_per_s if bytes_per_s else None)
    if bytes_per_s:
        return checked(kind, min(size, present) / bytes_per_s, size / bytes_per_s)
    if present >= size:
        return Container(kind, fact_s or None)
    if not fact_s:
        return cut(kind, None, shortfall(kind, present, size, None))
    return checked(kind, present / size * fact_s, fact_s)


def walk_w64(data: Bytes, start: int) -> Container | None:
    """As `walk_wav`; its chunks are named by GUIDs, of which the first four bytes are the names in a wav."""
    if data[start : start + 8] != _W64:
        return None
    position, rate, bytes_per_s = start + 40, 0, 0
    for _ in range(MAX_CHUNKS):
        name = data[position : position + 4]
        size = number(data, position + 16, 8, "little", "w64") - _W64_HEAD
        if name == b"fmt ":
            rate, bytes_per_s = _wav_format(data, position + _W64_HEAD, size)
        if name == b"data" and rate:
            present = len(data) - position - _W64_HEAD
            return _wav_data("w64", size if size > 0 else None, present, bytes_per_s, 0.0)
        position += max(size, 0) + _W64_HEAD + -size % 8
    return None
