"""Draw the mel spectrogram of some seconds of a track, as a grayscale PNG.

Conventions
-----------
- The mel is the one that models see (`audio.mel`): 128 bands, 512 samples a frame, mono at 22,050 Hz. White is the
  loudest point of the picture, black 80 dB below it; high frequencies are at the top.
- `draw_spectrogram` is a plain function of picklable arguments with a picklable result: it runs in the processes of
  `audio.workers`. Importing this module loads no decoder.

Why the audio and not the stored mels: those are 3 s each, with gaps between them in tracks above 72 s, and each
relative to its own maximum. What is drawn is what the clip at the same place lets one hear.
"""

import io
from functools import cache, partial
from pathlib import Path

import numpy as np

from audioae.audio.blame import blame_file
from audioae.audio.config import ClipConfig
from audioae.audio.integrity import Container
from audioae.audio.listening import Cut, read_span
from audioae.audio.reader import Reader
from audioae.audio.spans import mono_of
from audioae.constants import CLIP_SAMPLES, FLOOR_DB, HOP_LENGTH, N_FRAMES, N_MELS, SAMPLE_RATE

MEDIA_TYPE = "image/png"
_EDGE = 4  # frames of a clip that see samples beyond its edges; 2 would do
_STEP = N_FRAMES - 2 * _EDGE - 2
_SILENCE_DB = -99.0  # the mel of digital silence is -100 dB


@blame_file
def draw_spectrogram(
    path: str | Path, start_s: float | None, seconds: float, clip_config: ClipConfig, width: int, height: int
) -> Cut:
    """Draw `seconds` of a track from `start_s` on, as `listening.cut_audio` cuts them.

    Parameters
    ----------
    width, height : int
        Pixels.

    Returns
    -------
    Cut
        `content` is a PNG.

    Raises
    ------
    AudioError
        As `cut_audio`.
    """
    from audioae.audio.readers import read_file

    span = partial(_draw, start_s=start_s, seconds=seconds, clip_config=clip_config, width=width, height=height)
    return read_file(path, span)


def prepare(*_: object) -> None:
    """Import the decoders and compile what computes a mel: once in a worker."""
    _compile()


@cache
def _compile() -> None:
    import audioae.audio.readers  # noqa: F401
    from audioae.audio.mel import log_mel

    log_mel(np.zeros((1, CLIP_SAMPLES), np.float32))


def mel_of(waveform: np.ndarray) -> np.ndarray:
    """The log-mel of a waveform of any length, in dB: shape (128, 1 + n_samples // 512), as one STFT would give it.

    Parameters
    ----------
    waveform : np.ndarray, shape (n_samples,), float32, at 22,050 Hz
    """
    from audioae.audio.mel import log_mel

    n_frames = 1 + len(waveform) // HOP_LENGTH
    n_clips = -(-n_frames // _STEP)
    padded = np.zeros((n_clips * _STEP + 2 * _EDGE) * HOP_LENGTH + CLIP_SAMPLES, np.float32)
    padded[_EDGE * HOP_LENGTH :][: len(waveform)] = waveform
    starts = np.arange(n_clips) * _STEP * HOP_LENGTH
    mels = log_mel(np.stack([padded[start : start + CLIP_SAMPLES] for start in starts]))
    return np.concatenate(list(mels[:, :, _EDGE : _EDGE + _STEP]), axis=1)[:, :n_frames]


def _draw(
    reader: Reader,
    _: Container,
    start_s: float | None,
    seconds: float,
    clip_config: ClipConfig,
    width: int,
    height: int,
) -> Cut:
    import soxr

    begin_s, duration_s, planes = read_span(reader, start_s, seconds, clip_config)
    mel = mel_of(soxr.resample(mono_of(planes), reader.sample_rate, SAMPLE_RATE, quality="HQ"))
    return Cut(begin_s, planes.shape[1] / reader.sample_rate, duration_s, _png(mel, width, height))


def _png(mel: np.ndarray, width: int, height: int) -> bytes:
    from PIL import Image

    peak_db = mel.max()
    level = np.clip(1 - (mel - peak_db) / FLOOR_DB, 0, 1) if peak_db > _SILENCE_DB else np.zeros((N_MELS, 1))
    picture = Image.fromarray(np.round(level[::-1] * 255).astype(np.uint8))
    file = io.BytesIO()
    picture.resize((width, height), Image.Resampling.BOX).save(file, "PNG", compress_level=3)
    return file.getvalue()
