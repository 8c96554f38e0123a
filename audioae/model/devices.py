"""The processes of a training: one in this process, or one for each device of each node.

Several nodes: run the same command once on each, with these variables. Each starts a process per device; node 0 has the
result, and the nodes need one store that all of them see.

    NODE_RANK    0, 1 ...: the number of the node
    MASTER_ADDR  address of node 0, the same on all
    MASTER_PORT  a free port of node 0, the same on all

On Slurm, `srun --ntasks-per-node=1` with NODE_RANK=$SLURM_NODEID does that.

Conventions
-----------
- With several devices, processes are spawned: all arguments must pickle.
- The weights of process 0 are the result everywhere.
"""

import os
import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

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
    from lightning.fabric.plugins.environments import LightningEnvironment

    if config.num_nodes > 1 and (missing := [name for name in VARIABLES if name not in os.environ]):
        raise ModelError(
            f"train.num_nodes={config.num_nodes}: {', '.join(missing)} not set; start the same command once on every "
            "node, with NODE_RANK (0, 1 ...) and with MASTER_ADDR and MASTER_PORT of node 0"
        )
    fabric = Fabric(
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.num_nodes,
        precision=precision(config),
        strategy="ddp_spawn" if config.n_processes > 1 else "auto",
        plugins=[LightningEnvironment()] if config.num_nodes > 1 else None,
    )
    if config.n_processes == 1:
        with cpu_threads(config.threads):
            result = run(fabric)
        assert result is not None
        return result
    with tempfile.TemporaryDirectory() as folder:
        fabric.launch(partial(_run_into, run=run, path=Path(folder) / "result"))
        return pickle.loads((Path(folder) / "result").read_bytes())  # nosec B301 - written by _run_into


def _run_into(fabric: "Fabric", run: Callable[["Fabric"], R | None], path: Path) -> None:
    """Write the result to a file, because the queue from a spawned process blocks on anything above 64 KB."""
    result = fabric.broadcast(run(fabric))
    if fabric.local_rank == 0:
        path.write_bytes(pickle.dumps(result))
