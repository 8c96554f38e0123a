"""Walk the frames of MPEG audio (mp3, mp2, mp1) and of aac in ADTS.

Every frame's header gives its length, so frames form a chain. If the chain breaks and continues later, the bytes
between are damage. Tags between and after frames are skipped, and junk after the last frame is no fault. Damage is
found if it reaches a header, which all damage longer than a frame (26 ms) does.

Why an mp3 without a Xing, Info or VBRI header is never called truncated: it claims no length, and many complete mp3s
end inside a frame.

Source: ISO 11172-3, 13818-3 and 13818-7; the Xing, Info and VBRI headers as LAME and Fraunhofer write them.
"""

from collections.abc import Callable, Iterator
from functools import cache

from audioae.audio.integrity.container import COPY_AGAIN, Bytes, Container, checked, corrupt, tag_length
from audioae.errors import AudioError

LengthAt = Callable[[int], int]

_SEARCH = 1 << 20  # the first and the next frame must begin within so many bytes
_CHAIN = 3  # frames in a row that make a stream

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
    n_frames, end, _ = _walk(data, begin, length_at, "mp3", frame_s)
    if claimed is None:
        return Container("mp3", None, n_frames * frame_s)
    missing = claimed - n_frames
    if missing > 2 and len(data) - end > missing * (end - begin) / max(n_frames, 1) / 2:
        raise corrupt("mp3", n_frames * frame_s, f"no further frame, wanted {claimed * frame_s:.1f} s")
    return checked("mp3", n_frames * frame_s, claimed * frame_s)


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
    n_frames, _, cut = _walk(data, first, length_at, "aac", frame_s)
    if cut:
        raise AudioError("truncated", f"{n_frames * frame_s:.1f} s, then it ends inside a frame (aac); {COPY_AGAIN}")
    return Container("aac", None, n_frames * frame_s)


def _walk(data: Bytes, position: int, length_at: LengthAt, kind: str, frame_s: float) -> tuple[int, int, bool]:
    """Count whole frames. Returns the count, the end of the last one, and whether a cut-off frame follows it."""
    n_frames, size = 0, len(data)
    while True:
        while length := length_at(position):
            if position + length > size:
                return n_frames, position, True
            position += length
            n_frames += 1
        resumed = position
        while resumed < size and (tag := tag_length(data, resumed)):
            resumed += tag
        following = next((p for p in _candidates(data, resumed) if _chains(data, p, length_at)), None)
        if following is None:
            return n_frames, position, False
        if following > resumed:
            raise corrupt(kind, n_frames * frame_s, f"{following - resumed} bytes that are not an audio frame")
        position = resumed


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
