"""The forward pass on a GPU, recorded once per size of block as a CUDA graph and replayed.

Conventions
-----------
- Blocks come from the memory of the CPU, and the results stay on the GPU. Several threads may call at once.
- A block is copied in a stream of its thread, while the GPU works on the blocks of others.

Why a graph: a pass is some 100 kernels, and to start them takes the program as long as the GPU needs for 768 clips,
several times as long when other threads hold the interpreter. To replay a graph is one call.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

WARM_UP = 3  # passes before the recording, in which cuDNN chooses its kernels

Outputs = tuple[Tensor, ...]


class Recorded(NamedTuple):
    """A graph with the tensors that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    block: Tensor
    outputs: Outputs


class GpuForward:
    """A function of one block, as `function` gives its results but by a graph.

    Parameters
    ----------
    function : callable
        From a block on the GPU to tensors on the GPU. It must not wait for the GPU, nor depend on values on the CPU.
    device : torch.device
    """

    def __init__(self, function: Callable[[Tensor], Outputs], device: torch.device):
        self._function, self._device = function, device
        self._recorded: dict[torch.Size, Recorded] = {}
        self._lock, self._streams = threading.Lock(), threading.local()

    def __call__(self, block: Tensor) -> Outputs:
        if not hasattr(self._streams, "copying"):
            self._streams.copying = torch.cuda.Stream(self._device)
        copying, working = self._streams.copying, torch.cuda.current_stream(self._device)
        with torch.cuda.stream(copying):
            there = block.to(self._device)
        with self._lock:
            recorded = self._recorded.get(block.shape) or self._record(there)
            working.wait_stream(copying)
            recorded.block.copy_(there)
            there.record_stream(working)  # its memory is not used again before that
            recorded.graph.replay()
            return tuple(output.clone() for output in recorded.outputs)

    def _record(self, like: Tensor) -> Recorded:
        block, graph, aside = torch.zeros_like(like), torch.cuda.CUDAGraph(), torch.cuda.Stream(self._device)
        torch.cuda.synchronize(self._device)
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                self._function(block)
        torch.cuda.synchronize(self._device)
        with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
            outputs = self._function(block)
        self._recorded[like.shape] = Recorded(graph, block, outputs)
        return self._recorded[like.shape]
