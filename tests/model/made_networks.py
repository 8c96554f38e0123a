"""Small networks as files: the mean level of bands of mels. No file of a trained network is needed to test the door."""

import io

import torch
from torch import Tensor, nn


class Bands(nn.Module):
    """Mean levels of `n` bands of a mel, (clips, n)."""

    def __init__(self, n: int = 16):
        super().__init__()
        self.n = n

    def forward(self, mels: Tensor) -> Tensor:
        return mels.unflatten(1, (self.n, -1)).mean(dim=(2, 3))


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
    out = b""
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


def _value(name: str, dims: list[int]) -> bytes:
    shape = b"".join(_field(1, _number(1, n)) for n in dims)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, 1) + _field(2, shape)))
