"""Small networks as files: mean levels of bands of mels, log energies of bands of waveforms."""

import io

import numpy as np
import torch
from torch import Tensor, nn


class Bands(nn.Module):
    """Mean levels of `n` bands of a mel, (clips, n)."""

    def __init__(self, n: int = 16):
        super().__init__()
        self.n = n

    def forward(self, mels: Tensor) -> Tensor:
        return mels.unflatten(1, (self.n, -1)).mean(dim=(2, 3))


FRAME, BINS, BANDS = 400, 192, 16  # of a network of waveforms: at 16 kHz, bins of 40 Hz and bands of 480 Hz
EPSILON = 1e-6


def band_energies(waveforms: np.ndarray) -> np.ndarray:
    """What `Energies` and `onnx_energies` compute: (n, samples) to (n, frames, 16), by NumPy's FFT."""
    n = waveforms.shape[1] // FRAME
    spectra = np.fft.rfft(waveforms[:, : n * FRAME].reshape(len(waveforms), n, FRAME).astype(np.float64))
    power = np.abs(spectra[:, :, 1 : BINS + 1]) ** 2
    return np.log(power.reshape(len(waveforms), n, BANDS, -1).mean(axis=3) + EPSILON)


class Energies(nn.Module):
    """Log energies of 16 bands in frames of 25 ms, (n, frames, 16); with `pooled`, their mean (n, 16)."""

    def __init__(self, pooled: bool = False):
        super().__init__()
        self.pooled = pooled

    def forward(self, waveforms: Tensor) -> Tensor:
        power = torch.fft.rfft(waveforms.unfold(1, 400, 400)).abs().square()[:, :, 1:193]
        energies = (power.unflatten(2, (16, 12)).mean(dim=3) + 1e-6).log()
        return energies.mean(dim=1) if self.pooled else energies


class Loud(nn.Module):
    """`Energies`, pooled, but NaN for a waveform below 0.05."""

    def forward(self, waveforms: Tensor) -> Tensor:
        power = torch.fft.rfft(waveforms.unfold(1, 400, 400)).abs().square()[:, :, 1:193]
        energies = (power.unflatten(2, (16, 12)).mean(dim=3) + 1e-6).log().mean(dim=1)
        return energies + (waveforms.abs().amax(dim=1, keepdim=True) - 0.05).sqrt() * 0


def onnx_energies(batch: int | str = "n", samples: int | str = "samples") -> bytes:
    """`Energies` as an ONNX model; `batch` and `samples` are the declared shape of its input, numbers or names."""
    angles = 2 * np.pi / FRAME * np.outer(np.arange(FRAME), np.arange(1, BINS + 1))
    bands = np.kron(np.eye(BANDS), np.full((BINS // BANDS, 1), BANDS / BINS))
    constants = {"cos": np.cos(angles), "sin": np.sin(angles), "bands": bands, "epsilon": np.array([EPSILON])}
    graph = b"".join(
        _field(1, node)
        for node in (
            _node("Reshape", ["waveforms", "frame"], "frames"),
            *(_node("MatMul", ["frames", name], f"{name}_part") for name in ("cos", "sin")),
            *(_node("Mul", [f"{name}_part"] * 2, f"{name}_power") for name in ("cos", "sin")),
            _node("Add", ["cos_power", "sin_power"], "power"),
            _node("MatMul", ["power", "bands"], "band_power"),
            _node("Add", ["band_power", "epsilon"], "positive"),
            _node("Log", ["positive"], "energies"),
        )
    )
    graph += _field(2, b"energies") + _field(5, _tensor("frame", [3], [0, -1, FRAME]))
    graph += b"".join(_field(5, _floats(name, array)) for name, array in constants.items())
    graph += _field(11, _value("waveforms", [batch, samples])) + _field(12, _value("energies", [batch, "frames", 16]))
    return _number(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _number(2, 18))


def torchscript(module: nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


def onnx_bands() -> bytes:
    """`Bands` of 16 as an ONNX model, written field by field: ReduceMean of (n, 16, 1040)."""
    shape = _tensor("shape", [3], [0, 16, 1040])
    axes = _tensor("axes", [1], [2])
    reshape = _node("Reshape", ["mels", "shape"], "bands")
    mean = _node("ReduceMean", ["bands", "axes"], "vectors", keepdims=0)
    graph = b"".join(_field(1, node) for node in (reshape, mean)) + _field(2, b"bands")
    graph += _field(5, shape) + _field(5, axes) + _field(11, _value("mels", [16, 128, 130]))
    graph += _field(12, _value("vectors", [16, 16]))
    return _number(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _number(2, 18))


def _varint(value: int) -> bytes:
    out, value = b"", value % (1 << 64)
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _node(kind: str, inputs: list[str], output: str, **integers: int) -> bytes:
    content = (
        b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode()) + _field(4, kind.encode())
    )
    for name, value in integers.items():
        content += _field(5, _field(1, name.encode()) + _number(3, value) + _number(20, 2))
    return content


def _tensor(name: str, dims: list[int], values: list[int]) -> bytes:
    content = b"".join(_number(1, n) for n in dims) + _number(2, 7)
    return content + b"".join(_number(7, value) for value in values) + _field(8, name.encode())


def _floats(name: str, array: np.ndarray) -> bytes:
    content = b"".join(_number(1, n) for n in array.shape) + _number(2, 1)
    return content + _field(8, name.encode()) + _field(9, array.astype("<f4").tobytes())


def _value(name: str, dims: list[int] | list[int | str]) -> bytes:
    shape = b"".join(_field(1, _field(2, n.encode()) if isinstance(n, str) else _number(1, n)) for n in dims)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, 1) + _field(2, shape)))
