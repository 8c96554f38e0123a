"""The forward pass on a GPU, recorded as CUDA graphs that are replayed for each block.

Conventions
-----------
- Blocks come from the memory of the CPU, and the results stay on the GPU. Several threads may call at once.
- There are `SLOTS` graphs for each size of block, each with its stream: a block is copied to one of them while the
  others work.

Why graphs: a pass is some 100 kernels, and to start them takes the program as long as the GPU needs for 768 clips,
several times as long when other threads hold the interpreter. To replay a graph is one call.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue

import torch
from torch import Tensor

SLOTS = 3
WARM_UP = 3  # passes before a recording, in which cuDNN chooses its kernels

Outputs = tuple[Tensor, ...]


class Slot:
    """A graph with the tensors that it reads and writes, and the stream that it runs in."""

    def __init__(self, function: Callable[[Tensor], Outputs], like: Tensor, device: torch.device):
        self.stream, self._graph = torch.cuda.Stream(device), torch.cuda.CUDAGraph()
        self._block = torch.zeros_like(like, device=device)
        torch.cuda.synchronize(device)
        with torch.cuda.stream(self.stream):
            for _ in range(WARM_UP):
                function(self._block)
        torch.cuda.synchronize(device)
        with torch.cuda.graph(self._graph, stream=self.stream, capture_error_mode="thread_local"):
            self._outputs = function(self._block)

    def run(self, block: Tensor) -> Outputs:
        """Start the pass of a block; what the stream did before is done first."""
        with torch.cuda.stream(self.stream):
            self._block.copy_(block)
            self._graph.replay()
            return tuple(output.clone() for output in self._outputs)


class GpuForward:
    """A function of one block, as `function` gives its results but by graphs.

    Parameters
    ----------
    function : callable
        From a block on the GPU to tensors on the GPU. It must not wait for the GPU, nor depend on values on the CPU.
    device : torch.device
    """

    def __init__(self, function: Callable[[Tensor], Outputs], device: torch.device):
        self._function, self._device = function, device
        self._slots: dict[torch.Size, SimpleQueue[Slot]] = {}
        self._lock = threading.Lock()

    def __call__(self, block: Tensor) -> Outputs:
        free = self._slots_for(block)
        slot = free.get()
        try:
            outputs = slot.run(block)
        finally:
            free.put(slot)
        working = torch.cuda.current_stream(self._device)
        working.wait_stream(slot.stream)
        for output in outputs:
            output.record_stream(working)  # its memory is not used again before that
        return outputs

    def _slots_for(self, block: Tensor) -> SimpleQueue[Slot]:
        with self._lock:
            if block.shape not in self._slots:
                slots: SimpleQueue[Slot] = SimpleQueue()
                for _ in range(SLOTS):
                    slots.put(Slot(self._function, block, self._device))
                self._slots[block.shape] = slots
            return self._slots[block.shape]
