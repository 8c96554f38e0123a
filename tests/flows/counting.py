"""A preload of Dask workers: every decode adds a line to the file that AUDIOAE_TEST_DECODES names."""

import os

from audioae.audio import extract as module

VARIABLE = "AUDIOAE_TEST_DECODES"
_extract = module.extract


def counted(path, *settings):
    """What `extract` does, counted; the decoders of a worker import it from here."""
    with open(os.environ[VARIABLE], "a", encoding="utf-8") as file:
        file.write(f"{path}\n")
    return _extract(path, *settings)


def dask_setup(_worker) -> None:
    """Called by Dask when a worker starts."""
    module.extract = counted
