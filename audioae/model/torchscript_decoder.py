"""A user's neural codec or vocoder, given as a TorchScript file that returns waveforms.

Conventions
-----------
- A codec contains an encoder and its decoder: it takes a waveform of shape (1, 1, n), float32 in [-1, 1], and returns
  one of about the same length at the same sample rate. Its integer attribute `sample_rate` is the rate that it expects;
  without that attribute it gets the recording's rate.
- A vocoder takes mels of shape (1, n_mels, n_frames), float32, and returns the waveform of about n_frames hops.
- A TorchScript file is a program: load only files that you would run.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import torch

from audioae.errors import ModelError
from audioae.model.threads import cpu_threads


def load_module(source: str | BytesIO) -> torch.jit.ScriptModule:
    """Load a TorchScript module, in eval mode on the CPU. It is a program: nothing but what a user names comes here."""
    return torch.jit.load(source, map_location="cpu").eval()


class WaveformDecoder:
    """A TorchScript module from waveform, or from mels, to waveform.

    Raises
    ------
    ModelError
        If the file is missing or is not a TorchScript module.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise ModelError(f"{path}: no such file; wanted a TorchScript module that returns a waveform")
        try:
            self.module = load_module(str(path))
        except (RuntimeError, ValueError) as error:
            message = str(error).strip().splitlines()[0][:200]
            raise ModelError(f"{path}: not a TorchScript module, or damaged ({message}); export it again") from None
        self.sample_rate = int(getattr(self.module, "sample_rate", 0)) or None

    @torch.inference_mode()
    @cpu_threads()
    def decode(self, inputs: np.ndarray, n: int) -> np.ndarray:
        """Decode a waveform (n,) or mels (n_mels, n_frames), float32, to a waveform of `n` samples.

        Raises
        ------
        ModelError
            If the module fails, or does not return a waveform of about this length.
        """
        batch = torch.from_numpy(inputs.astype(np.float32))[None]
        batch = batch[None] if inputs.ndim == 1 else batch
        what = f"{'a waveform' if inputs.ndim == 1 else 'mels'} of shape {tuple(batch.shape)}"
        try:
            output = self.module(batch)
        except RuntimeError as error:
            message = str(error).strip().splitlines()[-1][:200]
            raise ModelError(f"{self.path}: failed on {what}: {message}") from None
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        flat = output.reshape(-1).float().cpu().numpy() if isinstance(output, torch.Tensor) else np.empty(0, np.float32)
        if not 0.9 * n <= len(flat) <= 1.1 * n or not np.isfinite(flat).all():
            raise ModelError(f"{self.path}: returned {shape}, wanted about (1, 1, {n}) of finite samples for {what}")
        return np.resize(np.pad(flat, (0, max(n - len(flat), 0))), n)
