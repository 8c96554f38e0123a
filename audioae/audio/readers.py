"""Open an audio file with the decoder that reads all of it.

Conventions
-----------
- Everything that looks at an audio file goes through `read_file`: whatever goes wrong is an `AudioError`.
- libsndfile is asked first. If its length disagrees with the container, or it gives up in the middle, both decoders
  decode the whole file, and the one that gives most is used. A difference of `SLACK_S` is none.

Why soundfile first: after a seek in an mp3, av starts 552 samples late (encoder delay); soundfile is sample-exact.
Why the other decoder is asked: libsndfile gives up in the middle of one in six Opus files, reads only the first of
joined files, and trusts a wrong length.
"""

import mmap
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from audioae.audio.av_reader import AvReader
from audioae.audio.blame import blame_file
from audioae.audio.integrity import Container, inspect
from audioae.audio.reader import END, SLACK_S, GaveUpError, Reader
from audioae.audio.remote import local_file
from audioae.audio.soundfile_reader import SoundFileReader
from audioae.errors import AudioError

_SLACK = 4 * 1152  # frames: encoder delay and padding, which a decoder removes

T = TypeVar("T")


@blame_file
def read_file(path: str | Path, use: Callable[[Reader, Container], T]) -> T:
    """Open an audio file, call `use` and close the file.

    Parameters
    ----------
    path : str or Path
        A path, or the URI of a remote file (`audio.remote`).
    use : callable
        Called with an open reader and the result of `integrity.inspect`. Called again, with another reader, if the
        first one gave up in the middle of the file.

    Raises
    ------
    AudioError
        "unreadable" or "empty"; "not_audio", or "corrupt" if the format is known but no decoder opens the file; what
        `integrity.inspect` and `use` raise; any other exception as "corrupt" (`audio.blame`).
    """
    with local_file(path) as local:
        container = inspect_file(local)
        reader = open_reader(local, container)
        try:
            return use(reader, container)
        except GaveUpError:
            pass
        finally:
            reader.close()
        reader = longest_reader(local, container)
        try:
            return use(reader, container)
        finally:
            reader.close()


def inspect_file(path: Path) -> Container:
    """`integrity.inspect` of a file. Raises `AudioError` as `read_file`."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise AudioError("unreadable", "a fifo, socket or device, which is never opened; wanted an audio file")
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            raise AudioError("empty", "0 bytes; download or copy the file again")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return inspect(data)


def open_reader(path: Path, container: Container) -> Reader:
    """Open a file with a reader whose length agrees with that of the container."""
    if container.resyncs:
        return longest_reader(path, container)
    try:
        reader = SoundFileReader(path, container)
    except AudioError:
        return AvReader(path, container)
    if reader.n_frames < END and _agree(reader, container):
        return reader
    reader.close()
    return longest_reader(path, container)


def _agree(reader: Reader, container: Container) -> bool:
    return container.found_s is None or abs(container.found_s * reader.sample_rate - reader.n_frames) <= _SLACK


def longest_reader(path: Path, container: Container) -> Reader:
    """Decode a file with every decoder, and return the reader that gives most; the first one if they agree."""
    best: Reader | None = None
    failure = AudioError("not_audio", "no known audio format")
    for decoder in (SoundFileReader, AvReader):
        try:
            reader = decoder(path, container)
        except AudioError as error:
            failure = error
            continue
        try:
            reader.measure()
        except GaveUpError as error:
            failure = error
            reader.close()
            continue
        best, other = (reader, best) if best is None or _seconds(reader) > _seconds(best) + SLACK_S else (best, reader)
        if other is not None:
            other.close()
    if best is None:
        raise failure
    return best


def _seconds(reader: Reader) -> float:
    return reader.n_frames / reader.sample_rate
