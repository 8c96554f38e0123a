"""This machine: its memory, and the free disk of a local store."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from audioae.search.memory import machine_memory


@dataclass(frozen=True)
class Machine:
    """Bytes of memory, and free bytes of the store's disk; None if the store is not on a disk of this machine."""

    memory: float
    disk: float | None


def this_machine(store: str) -> Machine:
    """The machine that this process runs on; `store` is the root of the store, which need not exist yet."""
    memory = float(machine_memory())
    if "://" in store:
        return Machine(memory, None)
    folder = Path(store).expanduser().absolute()
    while not folder.exists():
        folder = folder.parent
    return Machine(memory, float(shutil.disk_usage(folder).free))
