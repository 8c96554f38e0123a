"""From a mel back to something that can be heard: phases are guessed, so it sounds hollow.

Source: Griffin and Lim 1984, with Perraudin et al. 2013's momentum, as librosa 0.11 has them.
"""

import librosa
import numpy as np

from audioae.audio.mel import mel_bank
from audioae.constants import HOP_LENGTH, N_FFT, N_MELS

ITERATIONS = 32
PEAK = 0.7


def mel_waveform(mel_db: np.ndarray) -> np.ndarray:
    """A waveform whose mel is about the given one; the loudest sample is at `PEAK`.

    Parameters
    ----------
    mel_db : np.ndarray, shape (128, n_frames)
        dB; what it is relative to does not matter.

    Returns
    -------
    waveform : np.ndarray, shape ((n_frames - 1) * 512,), float32, at 22,050 Hz

    Raises
    ------
    ValueError
        If the shape is another, or a value is not finite.

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
