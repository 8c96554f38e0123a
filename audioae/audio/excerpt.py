"""Read three seconds of a track from any moment on, to look at and to listen to.

Conventions
-----------
- `excerpt` is a plain function of picklable arguments with a picklable result: it runs in the processes of
  `audio.workers`.
- It reads only those seconds where the format allows seeking, and does not check the rest of the file.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soxr

from audioae.audio.blame import blame_file
from audioae.audio.clips import fill_clip
from audioae.audio.config import ClipConfig
from audioae.audio.integrity import Container
from audioae.audio.mel import encode_mel, log_mel
from audioae.audio.preview import clip_audio
from audioae.audio.reader import Reader
from audioae.audio.readers import read_file
from audioae.audio.spans import BEFORE_S, mono_of, read_planes, start_of
from audioae.constants import CLIP_S, SAMPLE_RATE
from audioae.errors import AudioError


@dataclass(frozen=True)
class Excerpt:
    """Three seconds of a track: their start, their mel codes (128, 130) uint8, and the sound as an MP3 file."""

    start_s: float
    codes: np.ndarray
    audio: bytes


@blame_file
def excerpt(path: str | Path, start_s: float | None, clip_config: ClipConfig) -> Excerpt:
    """Read three seconds of a track.

    Parameters
    ----------
    path : str or Path
        An audio file.
    start_s : float or None
        Start of the excerpt; moved forward where the track ends within three seconds. None: the track's middle clip.
    clip_config : ClipConfig
        Number and spacing of the track's clips.

    Raises
    ------
    AudioError
        With one of `decode.REASONS`, if nothing can be read at that position.
    """
    begin_s, waveform = read_file(path, partial(_read_clip, start_s=start_s, clip_config=clip_config))
    return Excerpt(begin_s, encode_mel(log_mel(waveform[None]))[0][0], clip_audio(waveform, SAMPLE_RATE))


def _read_clip(
    reader: Reader, _: Container, start_s: float | None, clip_config: ClipConfig
) -> tuple[float, np.ndarray]:
    """The start of the excerpt and its waveform."""
    duration_s = reader.n_frames / reader.sample_rate
    wanted = start_of(duration_s, start_s, CLIP_S, clip_config)
    begin_s = min(wanted, max(duration_s - CLIP_S, 0.0))
    return begin_s, _read(reader, begin_s)


def _read(reader: Reader, begin_s: float) -> np.ndarray:
    """Read a clip from `begin_s` on; repeat what is shorter than a clip."""
    rate = reader.sample_rate
    first = max(int((begin_s - BEFORE_S) * rate), 0)
    last = min(int((begin_s + CLIP_S + BEFORE_S) * rate), reader.n_frames)
    mono = mono_of(read_planes(reader, first, last))
    clip = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")[round((begin_s - first / rate) * SAMPLE_RATE) :]
    if len(clip) == 0:
        raise AudioError("corrupt", f"nothing can be decoded from {begin_s:.1f} s on; encode the file again")
    return fill_clip(clip)
