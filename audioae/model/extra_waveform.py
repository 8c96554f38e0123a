"""A user's pretrained network that takes waveforms: one vector per track. Importing this module loads no torch.

Conventions
-----------
- The network gets one window at a time, (1, n_samples) float32: a vector cannot depend on a batch, and a file that was
  exported for a batch of 1 will do.
- It returns (1, d), or (1, t, d), which is averaged over t. A track's vector is the mean over its windows.
- Fixed dimensions that the file declares are checked when it is loaded; everything else by `check`, on noise.
"""

import numpy as np

from audioae.audio.config import WindowConfig
from audioae.errors import ModelError
from audioae.model.extra_files import MOST_UNITS, Kind, load_file, run_network


class WaveformNetwork:
    """A network from waveforms to vectors.

    Parameters
    ----------
    kind : "onnx" or "torchscript"
    content : bytes
        Of the file.
    name : str
        For messages.
    window : WindowConfig
        What it takes.

    Raises
    ------
    ModelError
        If the content is no such network, or takes other inputs.
    ModuleNotFoundError
        If `kind` is "onnx", and onnxruntime is not installed.
    """

    def __init__(self, kind: Kind, content: bytes, name: str, window: WindowConfig):
        self.name, self.window = name, window
        self._network = load_file(kind, content, name)
        if self._network.input_shape is not None:
            self._check_input(self._network.input_shape)

    def check(self) -> int:
        """Try the network on a window of noise; returns the length of its vectors. Raises `ModelError` as `vector`."""
        noise = np.random.default_rng(0).normal(0, 0.1, self.window.n_samples)
        return len(self.vector(noise.astype(np.float32)[None]))

    def vector(self, windows: np.ndarray) -> np.ndarray:
        """Compute the vector (d,), float32, of a track's windows (n, n_samples), float32, n at least 1.

        Raises
        ------
        ModelError
            If the network fails, or gives anything but one or more finite rows per window.
        """
        vectors = [self._of_window(window[None]) for window in windows]
        return np.mean(vectors, axis=0).astype(np.float32)

    def _of_window(self, window: np.ndarray) -> np.ndarray:
        found = run_network(self._network, self.name, f"waveforms of {self._words}", window)
        if found.ndim not in (2, 3) or len(found) != 1 or found.size == 0 or found.shape[-1] > MOST_UNITS:
            wanted = f"wanted (1, d) or (1, t, d) with d up to {MOST_UNITS:,}"
            raise ModelError(f"extra {self.name}: got {found.shape} for a waveform of shape {window.shape}, {wanted}")
        if n := int((~np.isfinite(found)).sum()):
            raise ModelError(f"extra {self.name}: {n} of {found.size} numbers are NaN or infinite")
        return found.reshape(-1, found.shape[-1]).mean(axis=0, dtype=np.float64)

    @property
    def _words(self) -> str:
        return f"{self.window.seconds:g} s at {self.window.sample_rate:,} Hz"

    def _check_input(self, shape: tuple[int | None, ...]) -> None:
        takes = f"extra {self.name}: it takes {tuple('any' if size is None else size for size in shape)}"
        if len(shape) != 2:
            raise ModelError(f"{takes}, wanted (n, samples): mono waveforms without a channel axis; export it again")
        if shape[0] not in (None, 1):
            raise ModelError(f"{takes}, batches of one size only; export it with a dynamic first axis, or with 1")
        if shape[1] not in (None, self.window.n_samples):
            fits = f"seconds: {shape[1] / self.window.sample_rate:g}"
            raise ModelError(
                f"{takes}, but {self._words} are {self.window.n_samples:,} samples; set {fits}, or the sample_rate "
                "that it was trained at"
            )
