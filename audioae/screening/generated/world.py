"""The WORLD vocoder as a family of decoders: pitch, spectral envelope and aperiodicity; phases are guessed.

Conventions
-----------
- As in `vocoders`: a function of (waveform, sample_rate, rng) to a waveform of the same length, mono float32.
- It needs pyworld, which no extra of this package installs: it is built from source, with a C++ compiler.

Source: Morise, Yokomori and Ozawa 2016, "WORLD: a vocoder-based high-quality speech synthesis system".
"""

import importlib
import importlib.util
from typing import Any

import numpy as np

from audioae.errors import ModelError
from audioae.screening.generated.vocoders import match_level

_PERIODS_MS = (5.0, 10.0)


def require_world() -> None:
    """Raise ModelError if pyworld is not installed."""
    if importlib.util.find_spec("pyworld") is None:
        raise ModelError(
            "decoder world: pyworld is not installed; install it (pip install pyworld needs a C++ compiler), or remove "
            "{kind: world} from screen.generated.decoders"
        )


def world(waveform: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Analyze and synthesize by WORLD, with a frame period of 5 or 10 ms."""
    pyworld: Any = importlib.import_module("pyworld")  # optional: not even the type checker needs it
    period_ms, samples = float(rng.choice(_PERIODS_MS)), waveform.astype(np.float64)
    pitch, times = pyworld.dio(samples, sample_rate, frame_period=period_ms)
    pitch = pyworld.stonemask(samples, pitch, times, sample_rate)
    envelope = pyworld.cheaptrick(samples, pitch, times, sample_rate)
    aperiodicity = pyworld.d4c(samples, pitch, times, sample_rate)
    copy = pyworld.synthesize(pitch, envelope, aperiodicity, sample_rate, period_ms)
    return match_level(np.pad(copy, (0, max(len(waveform) - len(copy), 0)))[: len(waveform)], waveform)
