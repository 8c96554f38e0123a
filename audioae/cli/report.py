"""The command `audioae report`."""

from pathlib import Path
from typing import Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, local_workers, open_store, progress_line, show
from audioae.errors import StoreError
from audioae.output import write_whole


def report(
    out: Annotated[str, typer.Option(help="The HTML file to write; its folder is created.")] = "report/report.html",
    budget: Annotated[int, typer.Option(min=1, help="Findings to show per check, worst first.")] = 10,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Write a page about the whole store: one HTML file to look at and listen to, which needs no network.

    Sections: the state of every track, training, reconstructions, a map, the worst findings, nearest tracks, playlists,
    exposure, the index, new tracks for listeners. Missing parts are skipped with a note.

    \b
    Example:
      audioae report --out report/report.html
    """
    from audioae.pages.report_page import render_report
    from audioae.report.build import make_report

    path = Path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"--out {out}: its folder cannot be created ({error}); choose another") from error
    with progress_line() as progress:
        data = make_report(open_store(store), budget=budget, workers=local_workers(), progress=progress)
        progress("page", 0, 1)
        page = render_report(data).encode()
        progress("page", 1, 1)
    try:
        write_whole(path, page)
    except OSError as error:
        raise StoreError(f"--out {out}: cannot be written ({error}); choose another file") from error
    notes = [f"left out: {sentence}" for sentence in data.omitted]
    result = {"path": str(path), "bytes": len(page), "versions": data.versions, "omitted": list(data.omitted)}
    show(as_json, result, [*notes, f"written: {path} ({len(page) / 1e6:.1f} MB)"])
