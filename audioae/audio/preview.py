"""Encode a clip as a few kilobytes of audio that every browser plays.

Conventions
-----------
- Mono, constant bit rate, no tags: 3 s at 22,050 Hz take about 9 KB (24 kbit/s). Not for measurements.

Why MP3: all browsers play it, including Safari, which has trouble with Ogg.
"""

import io

import numpy as np
import soundfile

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_COMPRESSION = 0.9  # of libsndfile, 0 large to 1 small


def clip_audio(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Encode a clip for listening.

    Parameters
    ----------
    waveform : np.ndarray, shape (n_samples,), float32 in [-1, 1]
        Louder samples are clipped.
    sample_rate : int
        Hz, one of `RATES`.

    Returns
    -------
    bytes
        An MP3 file.

    Raises
    ------
    ValueError
        If the waveform is not one row of finite samples, or MP3 does not support the rate.

    >>> clip_audio(np.zeros(66_150, np.float32), 22_050)[:2].hex()
    'fff3'
    """
    waveform = np.asarray(waveform, np.float32)
    if waveform.ndim != 1 or len(waveform) == 0:
        raise ValueError(f"clip_audio: got a waveform of shape {waveform.shape}, wanted (n_samples,), mono, not empty")
    if sample_rate not in RATES:
        raise ValueError(f"clip_audio: got {sample_rate} Hz, wanted one of {RATES}; resample first")
    if not np.isfinite(waveform).all():
        raise ValueError(f"clip_audio: {(~np.isfinite(waveform)).sum()} of {len(waveform)} samples are NaN or infinite")
    file = io.BytesIO()
    soundfile.write(
        file,
        waveform.clip(-1, 1),
        sample_rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=_COMPRESSION,
        bitrate_mode="CONSTANT",
    )
    return file.getvalue()
