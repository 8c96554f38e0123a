"""A user's own neural decoder, given as a TorchScript file: from a waveform to what it makes of it.

Conventions
-----------
- The module takes a waveform of shape (1, 1, n), float32 in [-1, 1], and gives one of (1, 1, about n), at the same
  rate: an encoder and its decoder in one. `sample_rate`, an integer attribute of it, is the rate that it wants; without
  one it gets the recording's own.
- A TorchScript file is a program: load only those that you would run.
"""

from pathlib import Path

import numpy as np
import torch

from audioae.errors import ModelError
from audioae.model.threads import cpu_threads


class WaveformDecoder:
    """A TorchScript module from waveform to waveform.

    Raises
    ------
    ModelError
        If the file is missing or holds no TorchScript module.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise ModelError(f"{path}: no such file; wanted a TorchScript module from waveform to waveform")
        try:
            self.module = torch.jit.load(str(path), map_location="cpu").eval()
        except (RuntimeError, ValueError) as error:
            said = str(error).strip().splitlines()[0][:200]
            raise ModelError(f"{path}: not a TorchScript module, or a damaged one ({said}); export it again") from None
        self.sample_rate = int(getattr(self.module, "sample_rate", 0)) or None

    @torch.inference_mode()
    @cpu_threads()
    def resynthesize(self, waveform: np.ndarray) -> np.ndarray:
        """What the decoder makes of a waveform (n,) float32, of the same length.

        Raises
        ------
        ModelError
            If the module fails on it, or gives something that is no waveform of about this length.
        """
        try:
            made = self.module(torch.from_numpy(waveform.astype(np.float32))[None, None])
        except RuntimeError as error:
            said = str(error).strip().splitlines()[-1][:200]
            raise ModelError(f"{self.path}: failed on a waveform of shape (1, 1, {len(waveform)}): {said}") from None
        shape = tuple(made.shape) if isinstance(made, torch.Tensor) else type(made).__name__
        flat = made.reshape(-1).float().cpu().numpy() if isinstance(made, torch.Tensor) else np.empty(0, np.float32)
        if not 0.9 * len(waveform) <= len(flat) <= 1.1 * len(waveform) or not np.isfinite(flat).all():
            raise ModelError(f"{self.path}: made {shape}, wanted about (1, 1, {len(waveform)}) of finite samples")
        return np.resize(np.pad(flat, (0, max(len(waveform) - len(flat), 0))), len(waveform))
