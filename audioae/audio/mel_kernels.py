"""The two loops of the mel that numba compiles. `audio.mel` imports this module when it computes its first mel.

Conventions
-----------
- Compiled code is cached between processes (`audioae.compiled`).
- A kernel takes every number as an argument.

Why no globals in a kernel: numba compiles them in as constants, and its cache does not notice when they change.
"""

from collections.abc import Callable
from typing import Any

import numba

from audioae.compiled import cache_for


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` with numba, cached on disk where possible."""
    with cache_for(__file__) as is_cached:
        return numba.njit(cache=is_cached, nogil=True, fastmath=True)(function)


@_compiled
def frame_pairs(padded, window, hop_length, pairs):
    """Write windowed frames, two to a row: frame 2i as the real part, frame 2i + 1 as the imaginary part.

    Parameters
    ----------
    padded : np.ndarray, shape (n_samples + n_fft,), float64
    window : np.ndarray, shape (n_fft,), float64
    hop_length : int
    pairs : np.ndarray, shape (n_frames / 2, n_fft), complex128
        The output.
    """
    for pair in range(pairs.shape[0]):
        even = 2 * pair * hop_length
        odd = even + hop_length
        for i in range(window.shape[0]):
            pairs[pair, i] = complex(padded[even + i] * window[i], padded[odd + i] * window[i])


@_compiled
def project(spectra, first_bins, bounds, weights, power, mel):
    """Write the mel power of each frame, from the spectra of pairs of frames.

    Parameters
    ----------
    spectra : np.ndarray, shape (n_frames / 2, n_fft), complex128
    first_bins, bounds, weights : np.ndarray
        The filter bank without its zeros: the first bin of each band, where its weights begin and end, all weights.
    power : np.ndarray, shape (n_fft / 2 + 1, n_frames), float32
        Working memory.
    mel : np.ndarray, shape (n_mels, n_frames), float32
        The output.
    """
    n_fft = spectra.shape[1]
    for pair in range(spectra.shape[0]):
        for k in range(power.shape[0]):
            a, b = spectra[pair, k], spectra[pair, (n_fft - k) % n_fft]
            power[k, 2 * pair] = 0.25 * ((a.real + b.real) ** 2 + (a.imag - b.imag) ** 2)
            power[k, 2 * pair + 1] = 0.25 * ((a.imag + b.imag) ** 2 + (a.real - b.real) ** 2)
    for band in range(mel.shape[0]):
        mel[band] = 0
        for i in range(bounds[band], bounds[band + 1]):
            weight, k = weights[i], first_bins[band] + i - bounds[band]
            for frame in range(mel.shape[1]):
                mel[band, frame] += weight * power[k, frame]
