"""The command `audioae report`."""

from pathlib import Path
from typing import Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, local_workers, open_store, reporting, show
from audioae.errors import StoreError


def report(
    out: Annotated[str, typer.Option(help="The HTML file to write; its folder is made.")] = "report/report.html",
    budget: Annotated[int, typer.Option(min=1, help="Findings to show per check, the worst first.")] = 10,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Everything about a store on one page to look at and to listen to: one file that needs no network.

    What became of every track, training, reconstructions, a map, the worst findings, nearest tracks, playlists,
    exposure, the index, new tracks for listeners. What the store does not hold is left out with a sentence.

    Example: `audioae report --store data/demo --out report/report.html`
    """
    from audioae.pages.report_page import render_report
    from audioae.report.build import make_report

    path = Path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"--out {out}: its folder cannot be made ({error}); name another") from error
    with reporting() as said:
        data = make_report(open_store(store), budget=budget, workers=local_workers(), report=said)
        said("page", 0, 1)
        page = render_report(data).encode()
        said("page", 1, 1)
    try:
        path.write_bytes(page)
    except OSError as error:
        raise StoreError(f"--out {out}: cannot be written ({error}); name a file") from error
    left_out = [f"left out: {sentence}" for sentence in data.omitted]
    result = {"path": str(path), "bytes": len(page), "versions": data.versions, "omitted": list(data.omitted)}
    show(as_json, result, [*left_out, f"written: {path} ({len(page) / 1e6:.1f} MB)"])
