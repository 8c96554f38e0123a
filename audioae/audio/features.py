"""Classical audio features by librosa, and estimates of tempo and energy for catalogs that do not have them.

Conventions
-----------
- A clip is 66,150 samples of mono float32 at 22,050 Hz. All spectral features share one STFT (2,048 samples, hop 512).
- A feature with a value per frame contributes its mean and its standard deviation over the frames.
- Tempo in BPM. Energy in dBFS: 20 log10 of the RMS, 0 for a square wave at full scale; the level is not normalized.
- A value that cannot be estimated is NaN. Instrumentalness is not offered: librosa has no detector of voices.

Source: librosa 0.11, `librosa.feature` and `librosa.onset` with their defaults.
"""

import warnings

import numpy as np

from audioae.audio.librosa_modules import librosa
from audioae.audio.mel import mel_bank
from audioae.constants import CLIP_SAMPLES, HOP_LENGTH, N_FFT, SAMPLE_RATE

N_MFCC = 20
SILENCE = 1e-5  # RMS; -100 dBFS

FRAME_DESCRIPTORS = {
    "mfcc": N_MFCC,
    "chroma": 12,
    "contrast": 7,
    "centroid": 1,
    "bandwidth": 1,
    "rolloff": 1,
    "flatness": 1,
    "zero_crossing_rate": 1,
    "rms": 1,
    "onset": 1,
}
N_FEATURES = 2 * sum(FRAME_DESCRIPTORS.values()) + 1


def clip_features(waveform: np.ndarray) -> np.ndarray:
    """Compute librosa's features of a clip.

    Parameters
    ----------
    waveform : np.ndarray, shape (66150,), float32 in [-1, 1]

    Returns
    -------
    features : np.ndarray, shape (93,), float32
        Means of `FRAME_DESCRIPTORS` in their order, then their standard deviations, then tempo.

    Raises
    ------
    ValueError
        If the shape is not (66150,) or a sample is not finite.
    """
    _check(waveform, "clip_features")
    if len(waveform) != CLIP_SAMPLES:
        raise ValueError(f"clip_features: got {len(waveform):,} samples, wanted one clip of {CLIP_SAMPLES:,}")
    magnitude = np.abs(librosa.stft(waveform, n_fft=N_FFT, hop_length=HOP_LENGTH))
    power = magnitude**2
    mel_db = librosa.power_to_db(mel_bank().astype(np.float32) @ power)
    centroid = librosa.feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE)
    onset = librosa.onset.onset_strength(S=mel_db, sr=SAMPLE_RATE)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Trying to estimate tuning")  # a clip without pitch: A is then 440 Hz
        chroma = librosa.feature.chroma_stft(S=power, sr=SAMPLE_RATE)
    rows = {
        "mfcc": librosa.feature.mfcc(S=mel_db, n_mfcc=N_MFCC),
        "chroma": chroma,
        "contrast": librosa.feature.spectral_contrast(S=magnitude, sr=SAMPLE_RATE),
        "centroid": centroid,
        "bandwidth": librosa.feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE, centroid=centroid),
        "rolloff": librosa.feature.spectral_rolloff(S=magnitude, sr=SAMPLE_RATE),
        "flatness": librosa.feature.spectral_flatness(S=magnitude),
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(waveform),
        "rms": librosa.feature.rms(y=waveform),
        "onset": onset[None],
    }
    frames = np.concatenate([rows[name] for name in FRAME_DESCRIPTORS])
    tempo = librosa.feature.tempo(onset_envelope=onset, sr=SAMPLE_RATE)
    return np.concatenate([frames.mean(axis=1), frames.std(axis=1), tempo]).astype(np.float32)


def estimate_targets(waveform: np.ndarray, sample_rate: int) -> dict[str, float]:
    """Estimate tempo and energy of a track.

    Parameters
    ----------
    waveform : np.ndarray, shape (n_samples,), float32 in [-1, 1]
        The whole track or a part of it; tempo needs 8 s or more.
    sample_rate : int
        Hz.

    Returns
    -------
    targets : dict of str to float
        "tempo" in BPM, NaN without an onset; octave errors (half or double) are common. "energy" in dBFS, -100 or more.

    Raises
    ------
    ValueError
        If `waveform` is empty, not one-dimensional or not finite.

    >>> round(estimate_targets(np.full(22_050, 0.1, np.float32), 22_050)["energy"], 3)
    -20.0
    """
    _check(waveform, "estimate_targets")
    onset = librosa.onset.onset_strength(y=waveform, sr=sample_rate)
    tempo = float(librosa.feature.tempo(onset_envelope=onset, sr=sample_rate)[0]) if np.ptp(onset) else np.nan
    rms = float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))
    return {"tempo": tempo, "energy": 20 * float(np.log10(max(rms, SILENCE)))}


def _check(waveform: np.ndarray, where: str) -> None:
    if waveform.ndim != 1 or len(waveform) == 0:
        raise ValueError(f"{where}: got a waveform of shape {waveform.shape}, wanted mono samples (n_samples,)")
    if not np.isfinite(waveform).all():
        raise ValueError(
            f"{where}: {(~np.isfinite(waveform)).sum():,} samples are NaN or infinite; decode the file again"
        )
