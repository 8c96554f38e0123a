"""A preload of Dask workers: every decode, and every shard of a task, adds a line to a file in a folder.

The environment variable AUDIOAE_TEST_COUNTS names the folder.
"""

import os
from pathlib import Path

from audioae.audio import extract as module
from audioae.flows.sharded import Mels

VARIABLE = "AUDIOAE_TEST_COUNTS"
_extract, _compute = module.extract, Mels.compute


def counted(path, *settings):
    """What `extract` does, counted; the decoders of a worker import it from here."""
    _add("decoded", path)
    return _extract(path, *settings)


def dask_setup(_worker) -> None:
    """Called by Dask when a worker starts."""
    module.extract, Mels.compute = counted, _counted_compute  # type: ignore[method-assign]


def _counted_compute(self, shards, on_progress=None):
    _add("computed", *shards)
    return _compute(self, shards, on_progress)


def _add(name, *lines):
    with (Path(os.environ[VARIABLE]) / name).open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
