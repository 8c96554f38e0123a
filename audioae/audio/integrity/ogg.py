"""Walk the pages of an ogg file (Vorbis, Opus, FLAC, Speex) and check that each is complete and has a correct CRC.

A page contains its length, a CRC-32 and a granule position: the number of samples up to its end. The length of the
stream is not stored elsewhere, so how much of a truncated ogg is missing is unknown. A file may be a chain of streams
(links), each with granules of its own.

Why a file that ends with a page is complete even without an end-of-stream mark: recordings of web radio end like that.
Why a first granule beyond `_ORIGIN_S` is the origin: a recording of web radio begins in the middle of a stream.

Source: RFC 3533.
"""

import zlib
from itertools import islice

from audioae.audio.integrity.container import MAX_CHUNKS, Bytes, Container, corrupt, cut

_HEAD = 27  # bytes before the segment table
_BEGINS = 2  # the flag of the first page of a stream
_ORIGIN_S = 2.0
_TRIES = 1000  # of finding the page after damage
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def walk_ogg(data: Bytes, start: int) -> Container | None:
    """Check every page. Junk after the last page is no fault; pages are lost where damage is."""
    if data[start : start + 4] != b"OggS":
        return None
    links, position, damage, lost, gaps = _Links(), start, None, 0, 0
    while gaps < MAX_CHUNKS:
        end = _page_end(data, position)
        if end and _is_intact(data, position, end):
            links.add(data, position, end)
            position = end
            continue
        following = _next_page(data, position + 1)
        begins = data[position : position + 4] == b"OggS"
        if following is None and not begins:
            break
        if following is None and end is None:
            detail = f"{links.seconds:.1f} s, then it ends inside a page (ogg does not store the full length)"
            return cut("ogg", links.seconds, detail)
        fault = "wrong checksum of the page" if begins else "no page"
        damage = damage or corrupt("ogg", links.seconds, f"{fault} at byte {position}")
        resumed = len(data) if following is None else following
        lost, gaps, position = lost + resumed - position, gaps + 1, resumed
    missing_s = lost / max(len(data) - start - lost, 1) * links.seconds
    return Container("ogg", None, links.seconds if links.rate else None, damage, missing_s, gaps)


class _Links:
    """Adds up the seconds of the links of a file."""

    def __init__(self):
        self.rate = 0
        self._before_s = self._first = self._last = 0.0  # seconds of the earlier links; granules of this one
        self._has_audio = False

    @property
    def seconds(self) -> float:
        if not self.rate:
            return self._before_s
        origin = self._first if self._first > _ORIGIN_S * self.rate else 0
        return self._before_s + (self._last - origin) / self.rate

    def add(self, data: Bytes, position: int, end: int) -> None:
        """Count a page in."""
        granule = int.from_bytes(data[position + 6 : position + 14], "little", signed=True)
        begins = data[position + 5] & _BEGINS
        if begins and self._has_audio:
            self._before_s, self._first, self._last, self._has_audio = self.seconds, 0, 0, False
        if begins and (rate := _rate(data[position + _HEAD + data[position + 26] : end])):
            self.rate = rate
        elif self.rate and granule > 0:
            self._first, self._has_audio = (self._first if self._has_audio else granule), True
            self._last = max(self._last, granule)


def _page_end(data: Bytes, position: int) -> int | None:
    """The end of the page that begins at `position`; `None` if there is none, or not all of it."""
    head = data[position : position + _HEAD]
    if head[:4] != b"OggS" or len(head) < _HEAD:
        return None
    segments = data[position + _HEAD : position + _HEAD + head[26]]
    end = position + _HEAD + head[26] + sum(segments)
    return end if end <= len(data) else None


def _is_intact(data: Bytes, position: int, end: int) -> bool:
    page = data[position:end]
    return _crc(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")


def _next_page(data: Bytes, position: int) -> int | None:
    """The first intact page from `position` on."""

    def candidates():
        at = data.find(b"OggS", position)
        while at >= 0:
            yield at
            at = data.find(b"OggS", at + 1)

    pages = ((at, _page_end(data, at)) for at in islice(candidates(), _TRIES))
    return next((at for at, end in pages if end and _is_intact(data, at, end)), None)


def _rate(packet: bytes) -> int:
    """Granules per second, from the first packet of a stream; 0 if the codec is unknown."""
    if packet[:7] == b"\x01vorbis":
        return int.from_bytes(packet[12:16], "little")
    if packet[:5] == b"\x7fFLAC":
        return int.from_bytes(packet[27:30], "big") >> 4
    if packet[:8] == b"Speex   ":
        return int.from_bytes(packet[36:40], "little")
    return 48_000 if packet[:8] == b"OpusHead" else 0


def _crc(page: bytes) -> int:
    """CRC-32 with ogg's polynomial, highest bit first, from 0: zlib's CRC of the same bits in reverse."""
    state = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(state.to_bytes(4, "little").translate(_REVERSED), "big")
