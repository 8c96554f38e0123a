"""Walk the frames of MPEG audio (mp3, mp2, mp1) and of aac in ADTS.

Every frame's header gives its length, so frames form a chain. If the chain breaks and continues later, the bytes
between are damage. Tags between and after frames are skipped, and junk after the last frame is no fault. Damage is
found if it reaches a header, which all damage longer than a frame (26 ms) does. What is missing is the difference from
the number of frames that the header states, or else as much as the damaged bytes would contain.

Why an mp3 without a Xing, Info or VBRI header is never called truncated: it claims no length, and many complete mp3s
end inside a frame.

Source: ISO 11172-3, 13818-3 and 13818-7; the Xing, Info and VBRI headers as LAME and Fraunhofer write them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from audioae.audio.integrity.container import Bytes, Container, checked, corrupt, cut, tag_length
from audioae.errors import AudioError

LengthAt = Callable[[int], int]

_SEARCH = 1 << 20  # the first and the next frame must begin within so many bytes
_CHAIN = 3  # frames in a row that make a stream
_MAX_GAPS = 1000  # a file with more ends there: each may cost a search

_RATES = (44100, 48000, 32000)
_ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_KBITS = {  # by (MPEG 1, layer), for bit rate codes 1 to 14
    (True, 1): range(32, 449, 32),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def walk_mp3(data: Bytes, start: int) -> Container | None:
    """Walk MPEG audio frames, and compare their count with a Xing, Info or VBRI header, if there is one."""
    for first in _candidates(data, start):
        lengths, frame_s = _mpeg_stream(data[first : first + 3])
        length_at = _mpeg_length_at(data, lengths)
        if _chains(data, first, length_at):
            break
    else:
        return None
    claimed = _claimed_frames(data[first : first + length_at(first)])
    begin = first if claimed is None else first + length_at(first)
    frames = _walk(data, begin, length_at, "mp3", frame_s)
    if claimed is None:
        return _with_gaps(Container("mp3", None, frames.n * frame_s), frames, frames.missing(begin) * frame_s)
    container, missing = checked("mp3", frames.n * frame_s, claimed * frame_s), claimed - frames.n
    if missing > 2 and len(data) - frames.end > missing * (frames.end - begin) / max(frames.n, 1) / 2:
        error = corrupt("mp3", frames.n * frame_s, f"no further frame, wanted {claimed * frame_s:.1f} s")
        container = replace(container, damage=error, missing_s=missing * frame_s)
    return _with_gaps(container, frames, container.missing_s)


def walk_aac(data: Bytes, start: int) -> Container | None:
    """Walk ADTS frames. They claim no length, but a complete stream does not end inside a frame."""
    for first in _candidates(data, start):
        head = data[first : first + 3]
        if len(head) < 3 or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 >= len(_ADTS_RATES):
            continue
        length_at = _adts_length_at(data, head)
        if _chains(data, first, length_at):
            break
    else:
        return None
    frame_s = 1024 / _ADTS_RATES[head[2] >> 2 & 15]
    frames = _walk(data, first, length_at, "aac", frame_s)
    if frames.is_cut:
        return cut("aac", frames.n * frame_s, f"{frames.n * frame_s:.1f} s, then it ends inside a frame (aac)")
    return _with_gaps(Container("aac", None, frames.n * frame_s), frames, frames.missing(first) * frame_s)


def _with_gaps(container: Container, frames: "_Frames", missing_s: float) -> Container:
    if not frames.gaps:
        return container
    return replace(container, damage=frames.damage, missing_s=missing_s, resyncs=frames.gaps)


@dataclass
class _Frames:
    """The chain of frames: whole ones, the end of the last one, whether a cut-off frame follows it, the places where
    other bytes interrupt it, how many such bytes there are, and the first damage."""

    n: int = 0
    end: int = 0
    is_cut: bool = False
    gaps: int = 0
    lost: int = 0
    damage: AudioError | None = None

    def missing(self, begin: int) -> float:
        """As many frames as the lost bytes would be."""
        return self.lost * self.n / max(self.end - begin - self.lost, 1)


def _walk(data: Bytes, position: int, length_at: LengthAt, kind: str, frame_s: float) -> _Frames:
    """Count whole frames."""
    frames, size = _Frames(end=position), len(data)
    while True:
        while length := length_at(position):
            if position + length > size:
                frames.is_cut = True
                return frames
            position += length
            frames.n, frames.end = frames.n + 1, position
        while position < size and (tag := tag_length(data, position)):
            position += tag
        following = next((p for p in _candidates(data, position) if _chains(data, p, length_at)), None)
        if following is None or frames.gaps >= _MAX_GAPS:
            return frames
        if following > position:
            fault = corrupt(kind, frames.n * frame_s, f"{following - position} bytes that are not an audio frame")
            frames.damage = frames.damage or fault
            frames.gaps, frames.lost = frames.gaps + 1, frames.lost + following - position
        position = following


def _candidates(data: Bytes, start: int) -> Iterator[int]:
    position = data.find(b"\xff", start, start + _SEARCH)
    while position >= 0:
        yield position
        position = data.find(b"\xff", position + 1, start + _SEARCH)


def _chains(data: Bytes, position: int, length_at: LengthAt) -> bool:
    """Whether `_CHAIN` frames follow each other from `position`."""
    for _ in range(_CHAIN):
        length = length_at(position)
        if not length:
            return False
        position += length
    return True


def _mpeg_length_at(data: Bytes, lengths: dict[bytes, int]) -> LengthAt:
    return lambda position: lengths.get(data[position : position + 3], 0)


def _adts_length_at(data: Bytes, fixed: bytes) -> LengthAt:
    def length_at(position: int) -> int:
        head = data[position : position + 6]
        return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5 if head[:3] == fixed and len(head) == 6 else 0

    return length_at


def _mpeg_stream(head: bytes) -> tuple[dict[bytes, int], float]:
    """Frame lengths by header, and seconds per frame, of the streams that may begin with `head`."""
    if len(head) < 3 or head[1] < 0xE0:
        return {}, 0.0
    return _mpeg_frames(head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 2 & 3)


@cache
def _mpeg_frames(version: int, layer_code: int, rate_code: int) -> tuple[dict[bytes, int], float]:
    """`_mpeg_stream` by the header's fields: version 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5."""
    if version == 1 or layer_code == 0 or rate_code == 3:
        return {}, 0.0
    layer, first_version = 4 - layer_code, version == 3
    rate = _RATES[rate_code] // {3: 1, 2: 2, 0: 4}[version]
    samples = 384 if layer == 1 else 576 if layer == 3 and not first_version else 1152
    slot = 4 if layer == 1 else 1
    lengths = {}
    for code, kbits in enumerate(_KBITS[first_version, layer], start=1):
        for low_bits in range(4):  # padding and private bit
            length = (samples // 8 * kbits * 1000 // (rate * slot) + (low_bits >> 1)) * slot
            for unprotected in (0, 1):
                second = 0xE0 | version << 3 | layer_code << 1 | unprotected
                lengths[bytes([0xFF, second, code << 4 | rate_code << 2 | low_bits])] = length
    return lengths, samples / rate


def _claimed_frames(frame: bytes) -> int | None:
    """The number of frames that a Xing, Info or VBRI header claims; `None` if `frame` is an ordinary frame."""
    first_version, mono = frame[1] >> 3 & 3 == 3, frame[3] >> 6 == 3
    xing = frame[4 + ((17 if mono else 32) if first_version else (9 if mono else 17)) :]
    if xing[:4] in (b"Xing", b"Info"):
        return int.from_bytes(xing[8:12], "big") if xing[7] & 1 else None
    return int.from_bytes(frame[50:54], "big") if frame[36:40] == b"VBRI" else None
