"""Read an audio file, or the first audio stream of a video file, with FFmpeg's libraries.

Why a packet that cannot be decoded is skipped: one is lost where a decoder that stops would lose the rest. It counts as
damage only if audio follows it, since tags and zeros behind the last packet are none.
Why every frame is converted to the format of the stream: where files were joined, rate and channels may change.
Why `_COUNTED`: in an mp3, what is damaged is what its walker found; where two were joined, the decoder misses a frame.
"""

import errno
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from audioae.audio.integrity import Container
from audioae.audio.integrity.container import COPY_AGAIN, corrupt
from audioae.audio.reader import BLOCK, END, SLACK_S, GaveUpError, check_end, count_frames
from audioae.errors import AudioError

_PRE_ROLL_S = 0.1  # aac needs one frame (23 ms) before the first correct one
_PATIENCE = 20  # failures in a row after which the rest of a file is given up
_OPTIONS = {"protocol_whitelist": "file"}  # a playlist must not open addresses
_PLAYLISTS = ("concat", "dash", "hls", "imf")  # they contain no audio, but the names of other files
_CHECKSUMS = {"err_detect": "crccheck+explode"}  # leave out the frames of a flac whose checksum is wrong
_COUNTED = "mp3"
_STATED = ("ape", "asf", "dsf", "matroska,webm", "mpc", "mpc8", "tak", "tta", "wv")  # their headers state the length


class AvReader:
    """Reads m4a, aac and the other formats of FFmpeg's libraries.

    Raises
    ------
    AudioError
        "not_audio", or "corrupt" if the format is known but FFmpeg does not open the file.
    """

    def __init__(self, path: Path, container: Container):
        self._path, self._kind = path, container.kind
        self.resyncs, self.missing_s = 0, 0.0
        self.damage: AudioError | None = None
        self._is_measured = False
        self._open()
        self.container = self._input.format.name.split(",")[0] if self._kind == "other" else self._kind
        self.codec = self._stream.codec_context.name
        self.sample_rate, self.channels = int(self._stream.rate), self._stream.channels
        self._layout = self._stream.layout
        self._time_base = float(self._stream.time_base or 1)
        if self._kind == "mp4" and self._stream.duration:
            self.n_frames = round(self._stream.duration * self._time_base * self.sample_rate)
        elif container.found_s is not None:
            self.n_frames = round(container.found_s * self.sample_rate)
        else:  # no reliable duration: count
            self.measure()

    def can_seek(self) -> bool:
        """True for an mp4 whose packets are intact: by its index, seeks are exact. In other formats they are not."""
        return self._kind == "mp4" and not self._is_measured and (self.codec != "aac" or self._aac_is_whole())

    def blocks(self, start: int, stop: int) -> Iterator[np.ndarray]:
        planes, n = np.empty((self.channels, BLOCK), np.float32), 0
        position = start
        try:
            for at, frame in self._frames(start):
                low, high = max(start - at, 0), min(stop - at, frame.samples)
                if high <= 0:
                    break
                if n and n + frame.samples > planes.shape[1]:
                    yield planes[:, :n]
                    n = 0
                if frame.samples > planes.shape[1]:
                    planes = np.empty((self.channels, frame.samples), np.float32)
                if low < high:
                    # not strict: with 8 channels, PyAV 18 lists one plane too many
                    for plane, buffer in zip(planes, frame.planes, strict=False):
                        samples = np.frombuffer(buffer, np.float32, frame.samples)  # type: ignore  # stub: no buffer
                        plane[n : n + high - low] = samples[low:high]
                    n, position = n + high - low, at + high
        except FFmpegError as error:
            if _is_of_the_moment(error):
                raise
            seconds = position / self.sample_rate
            raise GaveUpError("corrupt", f"at {seconds:.1f} s: {error.strerror} ({self.codec})") from None
        if n:
            yield planes[:, :n]
        check_end(self, position, stop)

    def measure(self) -> None:
        if self._is_measured:
            return
        self.n_frames = END
        self.n_frames, self._is_measured = count_frames(self), True
        decoded_s, stated_s = self.n_frames / self.sample_rate, self._stated_s()
        if stated_s - decoded_s > SLACK_S:
            self.missing_s = max(self.missing_s, stated_s - decoded_s)
            detail = f"{decoded_s:.1f} of {stated_s:.1f} s are in the file ({self.codec}); {COPY_AGAIN}"
            self.damage = self.damage or AudioError("truncated", detail)

    def close(self) -> None:
        self._input.close()

    def _open(self) -> None:
        try:
            self._input = av.open(f"file:{self._path}", metadata_errors="ignore", options=_OPTIONS)
        except (FFmpegError, ValueError) as error:
            raise _not_opened(self._kind, getattr(error, "strerror", None) or str(error)) from None
        streams = [stream for stream in self._input.streams.audio if stream.codec_context]
        # their walkers know mp3 and aac better
        guessed = self._kind == "other" and self._input.format.name in ("mp3", "aac", *_PLAYLISTS)
        if not streams or guessed or not streams[0].rate or not streams[0].channels:
            others = ", ".join(stream.type for stream in self._input.streams if stream.type != "audio")
            self._input.close()
            raise _not_opened(self._kind, f"it contains {others or 'nothing that can be decoded'} and no audio")
        self._stream = streams[0]
        self._stream.codec_context.thread_count = 1
        if self._stream.codec_context.name == "flac":
            self._stream.codec_context.options = _CHECKSUMS
        self._is_new = True

    def _stated_s(self) -> float:
        """The length that the header states, where it is exact; else 0. A video may be longer than its sound."""
        if self._kind != "other" or self._input.format.name not in _STATED or self._input.streams.video:
            return 0.0
        if self._stream.duration:
            return self._stream.duration * self._time_base
        return (self._input.duration or 0) / av.time_base

    def _rewind(self) -> None:
        """Go back to the beginning by opening the file again: not every format can seek."""
        if not self._is_new:
            self._input.close()
            self._open()
        self._is_new = False

    def _frames(self, start: int) -> Iterator[tuple[int, av.AudioFrame]]:
        """Decode frames of float32 planes, from shortly before `start`; yield them with their positions."""
        if start:
            target = max(int((start / self.sample_rate - _PRE_ROLL_S) / self._time_base), 0)
            self._input.seek(target, stream=self._stream)
        else:
            self._rewind()
        position = None if start else 0
        for frame in self._planar(self._decoded()):
            if position is None:
                position = round((frame.pts or 0) * self._time_base * self.sample_rate)
            yield position, frame
            position += frame.samples

    def _planar(self, frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame]:
        """Convert frames to float32 planes of the stream's rate and channels."""
        converter, converted = None, None
        for frame in frames:
            form = (frame.format.name, frame.sample_rate, frame.layout.nb_channels)
            if converter and form != converted:
                yield from converter.resample(None)
                converter = None
            if form == ("fltp", self.sample_rate, self.channels):
                yield frame
                continue
            if not converter:
                converter = av.AudioResampler(format="fltp", layout=self._layout, rate=self.sample_rate)
                converted = form
            yield from converter.resample(frame)
        if converter:
            yield from converter.resample(None)

    def _decoded(self) -> Iterator[av.AudioFrame]:
        """Decode every packet that can be decoded; count the gaps between them."""
        resyncs = 0
        at_s = missing_s = gap_s = 0.0
        in_gap = False
        for packet in self._packets():
            frames = _decode(packet)
            if frames is None:
                in_gap, gap_s = True, gap_s + self._seconds(packet)
            elif frames and in_gap:
                resyncs, missing_s, in_gap, gap_s = resyncs + 1, missing_s + gap_s, False, 0.0
                self._note(resyncs, missing_s, at_s)
            for frame in frames or ():
                at_s += frame.samples / frame.sample_rate
                yield frame

    def _packets(self) -> Iterator[av.Packet | None]:
        """The packets of the stream, and `None` for bytes that are no packet."""
        failures = 0
        while failures < _PATIENCE:
            try:
                for packet in self._input.demux(self._stream):
                    yield packet
                    failures = 0
                return
            except FFmpegError as error:
                if _is_of_the_moment(error):
                    raise
                failures += 1
                yield None

    def _seconds(self, packet: av.Packet | None) -> float:
        return packet.duration * self._time_base if packet is not None and packet.duration else 0.0

    def _note(self, resyncs: int, missing_s: float, at_s: float) -> None:
        """Keep the evidence of the pass that read most."""
        if self._kind != _COUNTED and resyncs > self.resyncs:
            self.resyncs, self.missing_s = resyncs, max(missing_s, self.missing_s)
            self.damage = self.damage or corrupt(self.codec, at_s, "packets that cannot be decoded")

    def _aac_is_whole(self) -> bool:
        """Whether every packet ends with the element END (three ones) and zero bits up to the byte, as it must."""
        self._is_new = False
        try:
            self._input.seek(0, stream=self._stream)
            tails = [
                int.from_bytes(bytes(packet)[-2:], "big") for packet in self._input.demux(self._stream) if packet.size
            ]
        except FFmpegError:
            return False
        return all(tail // (tail & -tail or 1) & 7 == 7 for tail in tails)


def _decode(packet: av.Packet | None) -> list[av.AudioFrame] | None:
    """The frames of a packet; `None` if it cannot be decoded."""
    try:
        return None if packet is None else packet.decode()  # type: ignore  # of an audio stream
    except FFmpegError as error:
        if _is_of_the_moment(error):
            raise
        return None


def _is_of_the_moment(error: FFmpegError) -> bool:
    """Whether memory or the disk failed, and not the file."""
    return isinstance(error, MemoryError) or error.errno == errno.EIO


def _not_opened(kind: str, detail: str) -> AudioError:
    if kind == "other":
        return AudioError("not_audio", f"no known audio format: {detail}")
    return AudioError("corrupt", f"at 0.0 s: it begins like {kind}, but cannot be opened: {detail}")
