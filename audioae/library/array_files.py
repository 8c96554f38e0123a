"""Arrays and tables that are written once and then mapped into memory, or kept there if no disk can be written.

Why a folder of its own for a store that verifies what it reads: what is derived must come from the verified parts, not
from the cache; and at 10,000,000 tracks it would take 9 GB of memory.

Conventions
-----------
- An array is a `.npy` file, a table an uncompressed Arrow file. What is read is mapped: pages that no query touches
  cost no memory, and processes share the others.
"""

import logging
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from audioae.config import fingerprint
from audioae.store.cache import cached_folder

SMALL = 1 << 12  # bytes; a smaller array is read

_log = logging.getLogger(__name__)


class ArrayFiles(Protocol):
    """Named arrays and tables, as written earlier."""

    def __contains__(self, name: str) -> bool: ...

    def write(self, name: str, array: np.ndarray) -> None: ...

    def sink(self, name: str) -> pa.NativeFile:
        """Where a table is to be written, as an Arrow file."""
        ...

    def array(self, name: str) -> np.ndarray: ...

    def table(self, name: str) -> pa.Table: ...


class MappedFiles:
    """The files of a folder."""

    def __init__(self, folder: Path):
        self._folder = folder

    def __contains__(self, name: str) -> bool:
        return (self._folder / f"{name}.npy").exists()

    def write(self, name: str, array: np.ndarray) -> None:
        np.save(self._folder / f"{name}.npy", array)

    def sink(self, name: str) -> pa.NativeFile:
        return pa.OSFile(str(self._folder / f"{name}.arrow"), "wb")

    def array(self, name: str) -> np.ndarray:
        path = self._folder / f"{name}.npy"
        return np.load(path, mmap_mode="r" if path.stat().st_size > SMALL else None).view(np.ndarray)

    def table(self, name: str) -> pa.Table:
        return pa.ipc.open_file(pa.memory_map(str(self._folder / f"{name}.arrow"))).read_all()


class FilesInMemory:
    """The same, in memory."""

    def __init__(self):
        self._arrays: dict[str, np.ndarray] = {}
        self._sinks: dict[str, pa.BufferOutputStream] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def write(self, name: str, array: np.ndarray) -> None:
        self._arrays[name] = array

    def sink(self, name: str) -> pa.NativeFile:
        self._sinks[name] = pa.BufferOutputStream()
        return self._sinks[name]

    def array(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def table(self, name: str) -> pa.Table:
        return pa.ipc.open_file(self._sinks[name].getvalue()).read_all()


def write_table(files: ArrayFiles, name: str, table: pa.Table) -> None:
    """Write a table that is in memory."""
    with files.sink(name) as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def derived_files(kind: str, sources: list[str], write: Callable[[ArrayFiles], None], *, cache: bool) -> ArrayFiles:
    """What `write` derives from `sources`, from the cache folder if it was derived before.

    Parameters
    ----------
    kind : str
        What it is, with the version of its code: another version derives other files.
    sources : list of str
        Hashes of all that `write` reads.
    write : function of ArrayFiles
    cache : bool
        False: derive it now, in a folder that is deleted with the result; what is mapped stays. Where no folder can be
        written, it is kept in memory, with a warning.
    """
    try:
        if cache:
            return MappedFiles(cached_folder(f"{kind}-{fingerprint(sources)}", lambda path: _write(path, write)))
        root = Path(tempfile.mkdtemp(prefix="audioae-"))
        files = MappedFiles(root)
        weakref.finalize(files, shutil.rmtree, root, ignore_errors=True)
        _write(root, write)
        return files
    except OSError as error:
        kept = f"{kind}: kept in memory, because the {'cache' if cache else 'temporary'} folder cannot be written"
        _log.warning(f"{kept} ({error})")
    files = FilesInMemory()
    write(files)
    return files


def _write(folder: Path, write: Callable[[ArrayFiles], None]) -> None:
    write(MappedFiles(folder))
    pa.default_memory_pool().release_unused()  # a service that starts for the first time stays as small as later
