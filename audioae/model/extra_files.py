"""Reading a user's network from its file. Each kind loads its own library only: ONNX needs no torch.

Conventions
-----------
- A loaded network is a function from an array to an array, on the CPU, with one thread: the same on every machine with
  the same libraries.
- A TorchScript file is a program: use only files that you would run.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from audioae.errors import ModelError

Kind = Literal["onnx", "torchscript"]
MOST_UNITS = 16_384  # of a vector


@dataclass(frozen=True)
class LoadedNetwork:
    """A network, and the shape of its input where the file says it (a dimension that may vary is None)."""

    run: Callable[[np.ndarray], np.ndarray]
    input_shape: tuple[int | None, ...] | None = None


def load_file(kind: Kind, content: bytes, name: str) -> LoadedNetwork:
    """Load the content of a file; `name` is for messages.

    Raises
    ------
    ModelError
        If the content is no such network.
    ModuleNotFoundError
        If `kind` is "onnx", and onnxruntime is not installed.
    """
    return _onnx(content, name) if kind == "onnx" else _torchscript(content, name)


def run_network(network: LoadedNetwork, name: str, what: str, inputs: np.ndarray) -> np.ndarray:
    """The network's output for `inputs`, float32. Raises `ModelError` if the network fails; `what` names the inputs."""
    try:
        return np.asarray(network.run(inputs), np.float32)
    except MemoryError:
        raise
    except Exception as error:
        message = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
        raise ModelError(f"extra {name}: {what} {inputs.shape} float32 give an error: {message}") from error


def _onnx(content: bytes, name: str) -> LoadedNetwork:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # sums in one order, whatever the machine
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"extra {name}: not an ONNX model ({str(error).splitlines()[0][:200]})") from error
    first = session.get_inputs()[0]
    shape = tuple(size if isinstance(size, int) else None for size in first.shape)
    return LoadedNetwork(lambda inputs: np.asarray(session.run(None, {first.name: inputs})[0]), shape)


def _torchscript(content: bytes, name: str) -> LoadedNetwork:
    import torch

    from audioae.model.torchscript_decoder import load_module

    try:
        module = load_module(io.BytesIO(content))
    except Exception as error:
        message = str(error).strip().splitlines()[0][:200]
        raise ModelError(f"extra {name}: not a TorchScript module, or damaged ({message}); export it again") from error

    def run(inputs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(inputs)).float().cpu().numpy()

    return LoadedNetwork(run)
