"""Log-mels of clips: librosa's values, computed several times faster on a CPU core, and a one-byte code to store them.

Conventions
-----------
- A waveform is one clip: 66,150 samples, mono float32 at 22,050 Hz. Its mel has 128 bands x 130 frames.
- `log_mel` gives absolute dB, `10 * log10(max(power, 1e-10))`, reference 1.0, no floor below the maximum.
- `encode_mel` gives what is stored and what a model is trained on: `code = round((dB - maximum + 80) * 255 / 80)` as
  uint8, relative to the clip's maximum, with a floor 80 dB below it. `peak_db` keeps the maximum, so that the level can
  be restored.

Source: `librosa.feature.melspectrogram` and `power_to_db` 0.11: periodic Hann, centered frames, constant padding,
Slaney scale and norm. Every parameter is named here: torchaudio's defaults (reflect, HTK, no norm) are up to 31 dB off.

Why float64 inside: librosa transforms in float64. With a float32 FFT, rounding noise reaches 1.3e-3 dB in bands 80 dB
below a pure tone or a fast chirp; the tolerance is 1e-3. Two frames share one complex FFT (one as its real, one as its
imaginary part), and only the 2,018 nonzero mel weights are multiplied. So float64 is still 3 times as fast as librosa
(`tests/bench/bench_mel.py`).

Why uint8: a step is 0.314 dB and the error at most 0.157 dB, far below the variations of gain (8 dB) and EQ (3 dB) in
training, at a quarter of the size of float32.
"""

from functools import cache
from typing import Any

import numpy as np

from audioae.constants import CLIP_SAMPLES, FLOOR_DB, HOP_LENGTH, N_FFT, N_FRAMES, N_MELS, SAMPLE_RATE

F_MIN, F_MAX = 0.0, 11_025.0
AMIN = 1e-10

_STEPS_PER_DB = 255 / -FLOOR_DB


def log_mel(waveforms: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Compute the log-mel of each clip. A clip's mel does not depend on the other clips of the batch.

    Parameters
    ----------
    waveforms : np.ndarray, shape (n, 66150), float32 in [-1, 1]
    device : str
        "cpu", or a torch device ("cuda", "cuda:1"), on which torchaudio computes the same in float64.

    Returns
    -------
    mel_db : np.ndarray, shape (n, 128, 130), float32
        Absolute dB, at least -100.

    Raises
    ------
    ValueError
        If the shape is not (n, 66150).

    >>> log_mel(np.zeros((2, 66_150), np.float32)).shape
    (2, 128, 130)
    """
    waveforms = np.asarray(waveforms)
    if waveforms.ndim != 2 or waveforms.shape[1] != CLIP_SAMPLES:
        raise ValueError(f"log_mel: got waveforms of shape {waveforms.shape}, wanted (n, {CLIP_SAMPLES})")
    return _log_mel_cpu(waveforms) if device == "cpu" else _log_mel_torch(waveforms, device)


def encode_mel(mel_db: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantize absolute dB to one byte per value, relative to each clip's maximum.

    Returns
    -------
    codes : np.ndarray, shape (n, 128, 130), uint8
        255 is the clip's maximum, 0 is 80 dB or more below it. A silent clip is 255 everywhere.
    peak_db : np.ndarray, shape (n,), float32
        The maximum, absolute dB.

    >>> encode_mel(np.array([[[-20.0, -60.0, -120.0]]], np.float32))
    (array([[[255, 128,   0]]], dtype=uint8), array([-20.], dtype=float32))
    """
    mel_db = np.asarray(mel_db, np.float32)
    peak_db = mel_db.max(axis=(1, 2))
    relative_db = np.maximum(mel_db - peak_db[:, None, None], np.float32(FLOOR_DB))
    return np.rint((relative_db - np.float32(FLOOR_DB)) * np.float32(_STEPS_PER_DB)).astype(np.uint8), peak_db


def decode_mel(codes: np.ndarray) -> np.ndarray:
    """Convert codes back to dB relative to the clip's maximum: float32 in [-80, 0].

    >>> decode_mel(np.array([0, 51, 255], np.uint8))
    array([-80., -64.,   0.], dtype=float32)
    """
    return np.asarray(codes, np.float32) / np.float32(_STEPS_PER_DB) + np.float32(FLOOR_DB)


@cache
def mel_bank() -> np.ndarray:
    """The Slaney mel filter bank, shape (128, 1025), float64: column k weights the power at `k * 22050 / 2048` Hz."""
    edges_hz = _slaney_to_hz(np.linspace(_hz_to_slaney(F_MIN), _hz_to_slaney(F_MAX), N_MELS + 2))
    bins_hz = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    lower, center, upper = (edges_hz[i : i + N_MELS, None] for i in range(3))
    triangles = np.minimum((bins_hz - lower) / (center - lower), (upper - bins_hz) / (upper - center))
    return np.maximum(triangles, 0) * 2 / (upper - lower)


# Slaney's scale: 3 mels per 200 Hz up to 1 kHz, then 27 mels per factor of 6.4.


def _hz_to_slaney(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def _slaney_to_hz(mels: np.ndarray) -> np.ndarray:
    return np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))


def _hann() -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


@cache
def _sparse_bank() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bank without its zeros: the first bin of each band, the bounds of each band's weights, all weights."""
    bank = mel_bank()
    inside = bank > 0
    bounds = np.concatenate([[0], np.cumsum(inside.sum(axis=1))])
    return inside.argmax(axis=1), bounds, bank[inside].astype(np.float32)


def _log_mel_cpu(waveforms: np.ndarray) -> np.ndarray:
    import scipy.fft

    from audioae.audio.mel_kernels import frame_pairs, project

    mel = np.empty((len(waveforms), N_MELS, N_FRAMES), np.float32)
    padded = np.zeros(CLIP_SAMPLES + N_FFT)
    pairs = np.empty((N_FRAMES // 2, N_FFT), np.complex128)
    power = np.empty((N_FFT // 2 + 1, N_FRAMES), np.float32)
    window = _hann()
    bank = _sparse_bank()
    for waveform, out in zip(waveforms, mel, strict=True):
        padded[N_FFT // 2 : -N_FFT // 2] = waveform
        frame_pairs(padded, window, HOP_LENGTH, pairs)
        project(scipy.fft.fft(pairs, overwrite_x=True), *bank, power, out)
        np.log(np.maximum(out, np.float32(AMIN), out=out), out=out)
        out *= np.float32(10 / np.log(10))
    return mel


def _log_mel_torch(waveforms: np.ndarray, device: str) -> np.ndarray:
    import torch

    spectrogram, bank = _torch_parts(device)
    with torch.inference_mode():
        power = spectrogram(torch.as_tensor(waveforms, device=device, dtype=torch.float64))
        return (10 * torch.log10((bank @ power).clamp_min(AMIN))).float().cpu().numpy()


@cache
def _torch_parts(device: str) -> tuple[Any, Any]:
    """The power spectrogram and the bank on a device, in float64: TF32 does not apply, and results equal the CPU's."""
    import torch
    import torchaudio

    spectrogram = torchaudio.transforms.Spectrogram(
        n_fft=N_FFT,
        win_length=N_FFT,
        hop_length=HOP_LENGTH,
        pad=0,
        window_fn=torch.hann_window,
        power=2.0,
        normalized=False,
        wkwargs={"periodic": True, "dtype": torch.float64},
        center=True,
        pad_mode="constant",
        onesided=True,
    )
    return spectrogram.to(device), torch.as_tensor(mel_bank(), device=device)
