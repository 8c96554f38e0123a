"""The processes of a training: one in this process, or one for each device of each node.

Several nodes: run the same command once on each, with these variables. A node with several devices starts a process for
each. Node 0 publishes the result, and the nodes need one store that all of them see.

    NODE_RANK    0, 1 ...: the number of the node
    MASTER_ADDR  address of node 0, the same on all
    MASTER_PORT  a free port of node 0, the same on all

On Slurm, `srun --ntasks-per-node=1` with NODE_RANK=$SLURM_NODEID does that.

Conventions
-----------
- With several devices on a node, processes are spawned: all arguments must pickle.
- What process 0 reports is called in the process that spawned it, where loggers and progress bars are.
- The weights of process 0 are the result everywhere.
"""

import contextvars
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from audioae.errors import ModelError
from audioae.model.threads import cpu_threads
from audioae.model.train_config import TrainConfig, precision

if TYPE_CHECKING:
    from lightning.fabric import Fabric

R = TypeVar("R")

VARIABLES = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")


def node_rank() -> int:
    """The number of this node; 0 if there is only one."""
    return int(os.environ.get("NODE_RANK", 0))


def launch(config: TrainConfig, run: Callable[["Fabric"], R | None]) -> R:
    """Call `run` in every process and return what it returned in process 0.

    Raises
    ------
    ModelError
        If there are several nodes and this one does not know its number or where node 0 is.
    """
    from lightning.fabric import Fabric  # takes five seconds to import

    if config.num_nodes > 1 and (missing := [name for name in VARIABLES if name not in os.environ]):
        raise ModelError(
            f"train.num_nodes={config.num_nodes}: {', '.join(missing)} not set; start the same command once on every "
            "node, with NODE_RANK (0, 1 ...) and with MASTER_ADDR and MASTER_PORT of node 0"
        )
    spawned = config.devices > 1
    fabric = Fabric(
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.num_nodes,
        precision=precision(config),
        strategy="ddp_spawn" if spawned else "ddp" if config.num_nodes > 1 else "auto",
        plugins=[_environment(spawned)] if config.num_nodes > 1 else None,
    )
    if not spawned:
        with cpu_threads(config.threads), _joined(fabric, config):
            result = run(fabric)
            return fabric.broadcast(result) if config.num_nodes > 1 else result  # type: ignore[return-value]
    with tempfile.TemporaryDirectory() as folder:
        fabric.launch(partial(_run_into, run=run, path=Path(folder) / "result"))
        return pickle.loads((Path(folder) / "result").read_bytes())  # nosec B301 - written by _run_into


def _environment(spawned: bool) -> Any:
    """Where the processes are, by the variables above; on a node with one device, this process is the node's."""
    from lightning.fabric.plugins.environments.lightning import LightningEnvironment

    class OneProcess(LightningEnvironment):
        @property
        def creates_processes_externally(self) -> bool:
            return True

        def local_rank(self) -> int:
            return 0

    return LightningEnvironment() if spawned else OneProcess()


@contextmanager
def _joined(fabric: "Fabric", config: TrainConfig) -> Iterator[None]:
    """In this context the nodes know each other."""
    if config.num_nodes == 1:
        yield
        return
    import torch.distributed as dist

    fabric.launch()
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def relayed(config: TrainConfig, **callbacks: Callable[[Any], None] | None) -> Iterator[dict[str, Any]]:
    """Callbacks that may be given to `launch`: with spawned processes, they send what they get to this one.

    Raises
    ------
    Exception
        At the end, what a callback raised here.
    """
    if config.devices == 1:
        yield callbacks
        return
    from torch.multiprocessing import get_context

    queue, errors = get_context("spawn").SimpleQueue(), []

    def listen() -> None:
        while (message := queue.get()) is not None:
            name, value = message
            try:
                callbacks[name](value)  # type: ignore[misc]  # only callbacks that exist are sent to
            except Exception as error:  # noqa: BLE001 - raised by `relayed` at its end
                errors.append(error)

    listener = Thread(target=contextvars.copy_context().run, args=(listen,), daemon=True)
    listener.start()
    try:
        yield {name: partial(_send, queue, name) if callback else None for name, callback in callbacks.items()}
    finally:
        queue.put(None)
        listener.join(10)  # a killed process may have left half a message
    if errors:
        raise errors[0]


def _send(queue: Any, name: str, value: Any) -> None:
    queue.put((name, value))


def _run_into(fabric: "Fabric", run: Callable[["Fabric"], R | None], path: Path) -> None:
    """Write the result to a file, because the queue from a spawned process blocks on anything above 64 KB."""
    result = fabric.broadcast(run(fabric))
    if fabric.local_rank == 0:
        path.write_bytes(pickle.dumps(result))
