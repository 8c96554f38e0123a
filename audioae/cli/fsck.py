"""The commands `audioae verify` and `audioae fsck`: find and mend damage in a store.

`verify` looks at what is current and what that was made from, `fsck` at every version and at parts of no version.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, progress_line, show

if TYPE_CHECKING:
    from audioae.progress import Progress
    from audioae.store.dataset import Store
    from audioae.store.faults import Fault

RepairOption = Annotated[
    bool, typer.Option("--repair", help="Set damaged objects aside and mend LATEST; nothing is deleted.")
]
# The stages that `audioae run CONFIG` leaves out, by the datasets that they make.
OPTIONAL = {"similar": "similar", "playlists": "playlists", "recommendations": "recommend"}


def verify(repair: RepairOption = False, store: StoreOption = "data", as_json: JsonOption = False) -> None:
    """Check every part of what is current: its SHA-256, its schema and its number of rows.

    The current version of every dataset is checked, and all that these were made from. Parts are read once, several at
    a time; memory does not depend on the size of the store. `audioae fsck` also checks all older versions.

    With --repair, damaged objects are set aside as by `audioae fsck --repair`, so that the next run computes them
    again; the answer names the commands.

    The exit status is 1 if faults were found, repaired or not.

    \b
    Examples:
      audioae verify --store /data/store
      audioae verify --repair || audioae run pipeline.yaml
    """
    from audioae.store.fsck import check_current

    _check(check_current, repair, store, as_json)


def fsck(repair: RepairOption = False, store: StoreOption = "data", as_json: JsonOption = False) -> None:
    """Check every object of every version of a store; list each fault, what it affects, and what to do.

    Every manifest must be what was written, every part must be there with the size and the SHA-256 that its manifest
    records, and LATEST must name a version that is whole. All parts are read, so it takes as long as reading the store.

    With --repair, damaged objects move to the folder `quarantine` of their dataset, manifests of versions whose parts
    are gone to `lost`, and LATEST names the newest whole version. Then run the pipeline: it computes what is missing.
    `audioae prune` deletes what was set aside when it is older than a day.

    The exit status is 1 if faults were found, repaired or not.

    \b
    Examples:
      audioae fsck --store /data/store
      audioae fsck --repair && echo sound || audioae run pipeline
    """
    from audioae.store.fsck import check_store

    _check(check_store, repair, store, as_json)


def _check(check: "Callable[[Store, Progress], list[Fault]]", repair: bool, store: str, as_json: bool) -> None:
    from audioae.store.fsck import repair as mend

    opened = open_store(store)
    with progress_line() as progress:
        faults = check(opened, progress)
    done = mend(opened, faults) if repair else []
    rows = [{name: value for name, value in asdict(fault).items() if name not in ("key", "broken")} for fault in faults]
    listed = [line for fault in faults for line in _lines(fault)]
    count = f"{len(faults)} fault{'s' * (len(faults) != 1)}" if faults else "no faults"
    show(as_json, {"faults": rows, "repaired": done}, [*listed, count, *done, *(_next(faults) if repair else [])])
    if faults:
        raise typer.Exit(1)


def _next(faults: "Sequence[Fault]") -> list[str]:
    """Which commands compute again what was set aside."""
    datasets = {ref.partition("@")[0] for fault in faults for ref in fault.affects}
    commands = ["audioae run CONFIG"] if datasets - OPTIONAL.keys() or not datasets else []
    commands += [f"audioae run {stage} CONFIG" for dataset, stage in OPTIONAL.items() if dataset in datasets]
    run = f"Now run the pipeline again: it computes what is missing.\n  {'; '.join(commands)}"
    return [run] if faults else []


def _lines(fault: "Fault") -> list[str]:
    affects = [f"  affects {', '.join(fault.affects)}"] if fault.affects else []
    return [fault.where, f"  {fault.what}", *affects, f"  {fault.remedy}"]
