"""Read any span of an audio file as float32 at its sample rate: with soundfile, or with av what soundfile cannot read.

Conventions
-----------
- A block is `planes`, shape (channels, n), float32, of about `BLOCK` frames: memory does not grow with the track. It is
  valid until the next block is read.
- A frame is one sample of every channel; positions are frames from the beginning of the track.

Why soundfile first: after a seek in an mp3, av starts 552 samples late (encoder delay); soundfile is sample-exact.
Why a Vorbis file is reopened for a seek: if libsndfile 1.2.2 has decoded before, it lands up to 448 samples off or
returns 1,000 wrong samples (30 of 540 seeks in 9 files); in a newly opened file it never did. Reopening takes .3 ms.
Why `_Sequential`: after every read, soundfile seeks to its current position, which makes the mp3 decoder forget the
state it carries from frame to frame: 8,411 wrong samples in a mono file read by blocks, none without that seek.
Why a file is opened by its descriptor: libsndfile then recognizes the format by content, not by extension.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import soundfile as sf
from av.error import FFmpegError

from audioae.audio.integrity import Container
from audioae.errors import AudioError

BLOCK = 65_536  # frames; stereo float32 fits the second-level cache

_PRE_ROLL_S = 0.1  # aac needs one frame (23 ms) before the first correct one
_SLACK = 4 * 1152  # frames: encoder delay and padding, which a decoder removes


class Reader(Protocol):
    """An open audio file. `n_frames` is its length; `container` and `codec` are lower-case names."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    n_frames: int

    def can_seek(self) -> bool:
        """Whether `blocks` may start anywhere. If not, a track must be read from its beginning."""
        ...

    def blocks(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Yield planes from frame `start` to `stop`, or to the end of the file. Raises `AudioError` "corrupt"."""
        ...

    def close(self) -> None: ...


def open_reader(path: Path, container: Container) -> Reader:
    """Open a file, recognizing its format by content.

    Parameters
    ----------
    path : Path
    container : Container
        The result of `integrity.inspect`.

    Raises
    ------
    AudioError
        "not_audio", or "corrupt" if the format is known but no decoder opens the file.
    """
    try:
        reader = SoundFileReader(path)
    except sf.LibsndfileError:
        return AvReader(path, container)
    if container.kind == "other" and reader.container == "mp3":
        reader.close()
        raise AudioError("not_audio", "libsndfile takes it for mp3, but it contains no chain of mp3 frames")
    if container.kind in ("mp3", "wav") and container.found_s is not None:
        n_frames = round(container.found_s * reader.sample_rate)
        if abs(n_frames - reader.n_frames) > _SLACK:  # mp3 of variable bit rate without header; piped wav
            reader.close()
            return AvReader(path, container)
    return reader


class _Sequential(sf.SoundFile):
    """A file in which soundfile seeks only on an explicit call."""

    def seekable(self) -> bool:
        return False


class SoundFileReader:
    """Reads wav, flac, ogg, opus, mp3, aiff and the other formats of libsndfile."""

    def __init__(self, path: Path):
        self._path = path
        self._file = self._open()
        self._position = 0
        self.container, self.codec = self._file.format.lower(), self._file.subtype.lower()
        self.sample_rate, self.channels, self.n_frames = self._file.samplerate, self._file.channels, self._file.frames

    def can_seek(self) -> bool:
        return sf.SoundFile.seekable(self._file)

    def blocks(self, start: int, stop: int) -> Iterator[np.ndarray]:
        buffer = np.empty((BLOCK, self.channels), np.float32)
        planes = np.empty((self.channels, BLOCK), np.float32)
        try:
            self._move(start)
            while self._position < stop:
                block = self._file.read(out=buffer[: min(BLOCK, stop - self._position)])
                if not len(block):
                    return
                self._position += len(block)
                planes[:, : len(block)] = block.T
                yield planes[:, : len(block)]
        except sf.LibsndfileError as error:
            seconds = self._position / self.sample_rate
            raise AudioError("corrupt", f"at {seconds:.1f} s: {error.error_string} ({self.codec})") from None

    def close(self) -> None:
        self._file.close()

    def _move(self, position: int) -> None:
        if self._position == position:
            return
        if self.codec == "vorbis":
            self._file.close()
            self._file = self._open()
        self._file.seek(position)
        self._position = position

    def _open(self) -> sf.SoundFile:
        return _Sequential(os.open(self._path, os.O_RDONLY))


class AvReader:
    """Reads m4a, aac and the other formats of FFmpeg's libraries."""

    def __init__(self, path: Path, container: Container):
        self._kind = container.kind
        try:
            self._input = av.open(str(path), metadata_errors="ignore")
        except (FFmpegError, ValueError) as error:
            raise _not_opened(self._kind, getattr(error, "strerror", None) or str(error)) from None
        streams = [stream for stream in self._input.streams.audio if stream.codec_context]
        guessed = self._kind == "other" and self._input.format.name in ("mp3", "aac")  # their walkers know better
        if not streams or guessed or not streams[0].rate or not streams[0].channels:
            others = ", ".join(stream.type for stream in self._input.streams if stream.type != "audio")
            self._input.close()
            raise _not_opened(self._kind, f"it contains {others or 'nothing that can be decoded'} and no audio")
        self._stream = streams[0]
        self._stream.codec_context.thread_count = 1
        self.container, self.codec = self._kind, self._stream.codec_context.name
        self.sample_rate, self.channels = int(self._stream.rate), self._stream.channels
        self._to_planes = av.AudioResampler(format="fltp")
        self._time_base = float(self._stream.time_base or 1)
        if self._kind == "mp4" and self._stream.duration:
            self.n_frames = round(self._stream.duration * self._time_base * self.sample_rate)
        elif container.found_s is not None:
            self.n_frames = round(container.found_s * self.sample_rate)
        else:  # no reliable duration: count
            self.n_frames = sum(block.shape[1] for block in self.blocks(0, 1 << 62))

    def can_seek(self) -> bool:
        """True for an mp4 whose packets are intact: by its index, seeks are exact. In other formats they are not."""
        return self._kind == "mp4" and (self.codec != "aac" or self._aac_is_whole())

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
            raise AudioError(
                "corrupt", f"at {position / self.sample_rate:.1f} s: {error.strerror} ({self.codec})"
            ) from None
        if n:
            yield planes[:, :n]

    def close(self) -> None:
        self._input.close()

    def _frames(self, start: int) -> Iterator[tuple[int, av.AudioFrame]]:
        """Decode frames of float32 planes, from shortly before `start`; yield them with their positions."""
        self._input.seek(max(int((start / self.sample_rate - _PRE_ROLL_S) / self._time_base), 0), stream=self._stream)
        position = None if start else 0
        for frame in self._input.decode(self._stream):
            if frame.sample_rate != self.sample_rate or frame.layout.nb_channels != self.channels:
                raise AudioError("corrupt", f"its format changes from {self.sample_rate} Hz, {self.channels} channels")
            if position is None:
                position = round((frame.pts or 0) * self._time_base * self.sample_rate)
            for part in [frame] if frame.format.name == "fltp" else self._to_planes.resample(frame):
                yield position, part
                position += part.samples

    def _aac_is_whole(self) -> bool:
        """Whether every packet ends with the element END (three ones) and zero bits up to the byte, as it must."""
        try:
            self._input.seek(0, stream=self._stream)
            tails = [
                int.from_bytes(bytes(packet)[-2:], "big") for packet in self._input.demux(self._stream) if packet.size
            ]
        except FFmpegError:
            return False
        return all(tail // (tail & -tail or 1) & 7 == 7 for tail in tails)


def _not_opened(kind: str, detail: str) -> AudioError:
    if kind == "other":
        return AudioError("not_audio", f"no known audio format: {detail}")
    return AudioError("corrupt", f"at 0.0 s: it begins like {kind}, but cannot be opened: {detail}")
