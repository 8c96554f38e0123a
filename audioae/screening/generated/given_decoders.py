"""The user's decoders as families: each rewrites a waveform at any rate, by a TorchScript file.

Conventions
-----------
- A family is called "given: NAME": the `name` of the config, or else the name of the file, or its path if several
  files have that name.
- A module from waveform to waveform gets the rate of its attribute `sample_rate`, or else the recording's rate. One
  from mels to waveform gets mels of (1, n_mels, n_frames), float32, as `config.MelInput` says, and returns a waveform
  at that rate.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audioae.audio.librosa_modules import librosa
from audioae.errors import ModelError
from audioae.model.torchscript_decoder import WaveformDecoder
from audioae.screening.generated.config import MelInput, TorchscriptDecoder
from audioae.screening.generated.resynthesis import at_rate

_FLOOR = 1e-5


class GivenDecoder:
    """A TorchScript file that rewrites waveforms.

    Raises
    ------
    ModelError
        If the file is missing or is not a TorchScript module, or names another rate than its mels have.
    """

    def __init__(self, config: TorchscriptDecoder):
        self._module, self._mel = WaveformDecoder(config.path), config.mel
        rate = self._module.sample_rate
        if config.mel and rate not in (None, config.mel.sample_rate):
            raise ModelError(
                f"{config.path}: its sample_rate is {rate}, that of its mels {config.mel.sample_rate}; "
                f"set mel.sample_rate to {rate}"
            )

    def rewrite(self, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
        """Encode and decode a waveform (n,); the result has its length and rate.

        Raises
        ------
        ModelError
            If the module fails, or does not return a waveform of about this length.
        """
        rate = self._mel.sample_rate if self._mel else self._module.sample_rate or sample_rate
        source = at_rate(waveform, sample_rate, rate)
        inputs = log_mel_magnitudes(source, self._mel) if self._mel else source
        return at_rate(self._module.decode(inputs, len(source)), rate, sample_rate, len(waveform))


def load_decoders(configs: Sequence[TorchscriptDecoder]) -> dict[str, GivenDecoder]:
    """The user's decoders by family.

    Raises
    ------
    ModelError
        As `GivenDecoder`, or if two have the same name.
    """
    files = [Path(config.path).stem for config in configs]
    stems = Counter(files)
    pairs = zip(configs, files, strict=True)
    names = [config.name or (file if stems[file] == 1 else config.path) for config, file in pairs]
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise ModelError(f"screen.generated.decoders: several are called {twice[0]!r}; give each its own name")
    return {f"given: {name}": GivenDecoder(config) for name, config in zip(names, configs, strict=True)}


def log_mel_magnitudes(waveform: np.ndarray, mel: MelInput) -> np.ndarray:
    """Log mels (n_mels, n // hop_length), float32, of a waveform (n,) at the mel's rate."""
    padded = np.pad(waveform, (mel.n_fft - mel.hop_length) // 2, mode="reflect")
    magnitude = np.abs(librosa.stft(padded, n_fft=mel.n_fft, hop_length=mel.hop_length, center=False))
    bank = librosa.filters.mel(sr=mel.sample_rate, n_fft=mel.n_fft, n_mels=mel.n_mels, fmin=mel.f_min, fmax=mel.f_max)
    return np.log(np.maximum(bank @ magnitude, _FLOOR)).astype(np.float32)
