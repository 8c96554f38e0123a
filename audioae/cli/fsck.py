"""The command `audioae fsck`: find and mend damage in a store."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, progress_line, show

if TYPE_CHECKING:
    from audioae.store.fsck import Fault


def fsck(
    repair: Annotated[
        bool, typer.Option("--repair", help="Set damaged objects aside and mend LATEST; nothing is deleted.")
    ] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
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
    from audioae.store.fsck import repair as mend

    opened = open_store(store)
    with progress_line() as progress:
        faults = check_store(opened, progress)
    done = mend(opened, faults) if repair else []
    rows = [{name: value for name, value in asdict(fault).items() if name not in ("key", "broken")} for fault in faults]
    listed = [line for fault in faults for line in _lines(fault)]
    count = f"{len(faults)} fault{'s' * (len(faults) != 1)}" if faults else "no faults"
    after = ["Now run the pipeline again: it computes what is missing."] if repair and faults else []
    show(as_json, {"faults": rows, "repaired": done}, [*listed, count, *done, *after])
    if faults:
        raise typer.Exit(1)


def _lines(fault: "Fault") -> list[str]:
    affects = [f"  affects {', '.join(fault.affects)}"] if fault.affects else []
    return [fault.where, f"  {fault.what}", *affects, f"  {fault.remedy}"]
