"""Compare the size of the audio of an au or a caf with the file.

Limit: damage inside plain PCM leaves no trace in the structure.

Source: the man page of Sun's audio files; Core Audio Format (Apple 2011).
"""

import math
import struct

from audioae.audio.integrity.container import MAX_CHUNKS, Bytes, Container, checked, number

_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # bytes per sample by encoding
_UNKNOWN = 0xFFFFFFFF
_EDIT_COUNT = 4  # bytes before the samples of a caf


def walk_au(data: Bytes, start: int) -> Container | None:
    """Big-endian au: a header of six numbers, then the samples."""
    if data[start : start + 4] != b".snd":
        return None
    begin, size, encoding, rate, channels = (number(data, start + at, 4, "big", "au") for at in range(4, 24, 4))
    bytes_per_s = _AU_BYTES.get(encoding, 0) * rate * channels
    present = max(len(data) - start - begin, 0)
    if not bytes_per_s:
        return Container("au")
    if size in (0, _UNKNOWN):
        return Container("au", None, present / bytes_per_s)
    return checked("au", min(size, present) / bytes_per_s, size / bytes_per_s)


def walk_caf(data: Bytes, start: int) -> Container | None:
    """The chunk `desc` says how many bytes a second has, if all have the same number."""
    if data[start : start + 4] != b"caff":
        return None
    position, bytes_per_s = start + 8, 0.0
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(data):
            break
        name, size = (
            data[position : position + 4],
            int.from_bytes(data[position + 4 : position + 12], "big", signed=True),
        )
        position += 12
        if name == b"desc":
            bytes_per_s = _caf_bytes_per_s(data, position)
        if name == b"data" and bytes_per_s:
            present = max(len(data) - position - _EDIT_COUNT, 0)
            if size < 0:
                return Container("caf", None, present / bytes_per_s)
            size = max(size - _EDIT_COUNT, 0)
            return checked("caf", min(size, present) / bytes_per_s, size / bytes_per_s)
        position += max(size, 0)
    return Container("caf")


def _caf_bytes_per_s(data: Bytes, position: int) -> float:
    """0 for a codec whose packets differ in length."""
    packet_bytes, packet_frames = (number(data, position + at, 4, "big", "caf") for at in (16, 20))
    rate = struct.unpack(">d", data[position : position + 8])[0]
    return rate * packet_bytes / packet_frames if packet_frames and math.isfinite(rate) and rate >= 1 else 0.0
