"""From a mel back to audio, by the Griffin-Lim algorithm. Phases are estimated, so the result sounds hollow.

Conventions: a mel is (128, n_frames) in dB; a waveform is mono float32 at 22,050 Hz.

Source: Griffin and Lim 1984 with the momentum of Perraudin et al. 2013, as implemented by librosa 0.11.
"""

import numpy as np

from audioae.audio.librosa_modules import librosa
from audioae.audio.mel import mel_bank
from audioae.constants import HOP_LENGTH, N_FFT, N_MELS

ITERATIONS = 32
PEAK = 0.7


def mel_waveform(mel_db: np.ndarray) -> np.ndarray:
    """Estimate a waveform that has the given mel, scaled to a peak of `PEAK`.

    Parameters
    ----------
    mel_db : np.ndarray, shape (128, n_frames)
        dB, relative to any reference.

    Returns
    -------
    waveform : np.ndarray, shape ((n_frames - 1) * 512,), float32, at 22,050 Hz

    Raises
    ------
    ValueError
        If the shape is wrong or a value is not finite.

    >>> mel_waveform(np.zeros((128, 5))).shape
    (2048,)
    """
    if mel_db.ndim != 2 or len(mel_db) != N_MELS or not np.isfinite(mel_db).all():
        raise ValueError(f"mel_waveform: got shape {mel_db.shape}, wanted ({N_MELS}, n_frames) of finite dB")
    power = np.linalg.pinv(mel_bank()) @ 10 ** (mel_db / 10)
    magnitude = np.sqrt(np.maximum(power, 0.0))
    waveform = librosa.griffinlim(
        magnitude, n_iter=ITERATIONS, hop_length=HOP_LENGTH, n_fft=N_FFT, pad_mode="constant", random_state=0
    )
    return (waveform * (PEAK / max(float(np.abs(waveform).max()), 1e-12))).astype(np.float32)
