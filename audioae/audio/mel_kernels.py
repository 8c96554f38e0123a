"""The two loops of the mel that numba compiles. `audio.mel` imports this module when it computes its first mel.

Conventions
-----------
- Compiled code is cached between processes in the folder `NUMBA_CACHE_DIR`, or else in
  `$XDG_CACHE_HOME/audioae/numba-<hash of this file>` (by default below `~/.cache`). Without a folder that can be
  written, every process compiles again.
- A kernel takes every number as an argument.

Why not numba's default, the `__pycache__` beside this file: it makes a checkout dirty, is lost in a read-only
installation, and would be shipped to machines that must not run it.
Why no globals in a kernel: numba compiles them in as constants, and its cache does not notice when they change.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import config

_numba: Any = config  # its attributes are set at run time, unseen by type checkers


def _cache_folder() -> str | None:
    """A folder for compiled code that can be written, or None."""
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        code = hashlib.blake2b(Path(__file__).read_bytes(), digest_size=6).hexdigest()
        folder = Path(_numba.CACHE_DIR or caches / "audioae" / f"numba-{code}")
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):  # no such file, not writable; no home folder
        return None
    return str(folder)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` with numba, cached on disk where possible."""
    folder, previous = _cache_folder(), _numba.CACHE_DIR
    if folder is None:
        return numba.njit(nogil=True, fastmath=True)(function)
    _numba.CACHE_DIR = folder  # numba reads it once per function, here
    try:
        return numba.njit(cache=True, nogil=True, fastmath=True)(function)
    finally:
        _numba.CACHE_DIR = previous


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
