"""The command `audioae doctor`."""

from typing import Annotated

import typer

from audioae.cli.run import SetOption
from audioae.cli.show import JsonOption, show


def doctor(
    config: Annotated[
        str | None, typer.Argument(metavar="[CONFIG]", help="Also check the store and the source of this config.")
    ] = None,
    overrides: SetOption = None,
    store: Annotated[
        str | None, typer.Option(envvar="AUDIOAE_STORE", help="A store to check: a folder or s3://bucket/prefix.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check whether this machine can do what a run needs, one line each: ok, warn or fail, and what to do.

    It looks at Python and its packages, codecs, processors, memory, GPU, open files, Prefect's server, disks, the store
    (by writing, reading, listing and deleting an object), its clock, and the source.

    The exit status is 1 if anything failed.

    \b
    Examples:
      audioae doctor
      audioae doctor mine.yaml
      audioae doctor --store s3://bucket/store --json
    """
    from dataclasses import asdict

    from audioae.config import load_config
    from audioae.config_files import find_config
    from audioae.doctor.run import examine
    from audioae.settings import PipelineConfig

    settings = load_config(PipelineConfig, find_config(config), overrides or ()) if config else None
    results = examine(settings, store)
    show(as_json, [asdict(result) for result in results], [str(result) for result in results])
    if any(result.status == "fail" for result in results):
        raise typer.Exit(1)
