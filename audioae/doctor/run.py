"""All checks of `audioae doctor`, in their order."""

from functools import partial

from audioae.doctor.machine import (
    check_codecs,
    check_gpu,
    check_memory,
    check_open_files,
    check_packages,
    check_processors,
    check_python,
)
from audioae.doctor.places import check_disks, check_source, check_store
from audioae.doctor.result import Result, results_of
from audioae.doctor.services import check_prefect
from audioae.settings import PipelineConfig


def examine(config: PipelineConfig | None = None, store: str | None = None) -> list[Result]:
    """Check this machine, and the store and the source of a config.

    Parameters
    ----------
    config : PipelineConfig, optional
    store : str, optional
        The root of a store, in place of the config's.
    """
    root = store or (config.store if config else None)
    checks = [
        ("python", check_python),
        ("packages", check_packages),
        ("codecs", check_codecs),
        ("processors", check_processors),
        ("memory", check_memory),
        ("gpu", check_gpu),
        ("open files", check_open_files),
        ("prefect", check_prefect),
        ("disks", partial(check_disks, root)),
    ]
    if root is not None:
        checks.append(("store", partial(check_store, root)))
    if config is not None and config.to_synthesize is None:
        checks.append(("source", partial(check_source, config.catalog)))
    return list(results_of(checks))
