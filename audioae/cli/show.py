"""What every command of `audioae` shares: its options, the store, and how results are shown.

Convention: nothing that is shown is markup of the terminal. Tags, paths and names are written by strangers, and a title
such as `[/b]` would end the command. So nobody escapes, and nobody writes `[bold]`; what must stand out is a `Text`.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from audioae.api import Library
    from audioae.pipeline.config import Workers
    from audioae.progress import Progress
    from audioae.store.dataset import Store

StoreOption = Annotated[
    str, typer.Option("--store", envvar="AUDIOAE_STORE", help="Root of the store: a folder or s3://bucket/prefix.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
TruthOption = Annotated[
    str | None,
    typer.Option(help="CSV or Parquet with track_id or path, and numbers to predict (tempo, energy ...)."),
]


def open_store(root: str) -> "Store":
    from audioae.store.dataset import Store

    return Store(root)


def show(as_json: bool, result: Any, lines: list[Any]) -> None:
    if as_json:
        print(json.dumps(result, indent=1, default=str))
        return
    console = Console(markup=False, emoji=False)
    for line in lines:
        console.print(line, soft_wrap=not isinstance(line, Table))


def rows_table(rows: list[dict[str, Any]], columns: tuple[str, ...], title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("track_id", "ref"))
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def plain(result: dict[str, Any]) -> dict[str, Any]:
    """JSON has no dates: they become ISO 8601."""
    return json.loads(json.dumps(result, default=lambda value: getattr(value, "isoformat", lambda: str(value))()))


def open_library(root: str, embeddings: str | None = None) -> "Library":
    """The store's current embeddings, or those of one version, whether indexed or not."""
    from audioae.api import Library
    from audioae.store.manifest import DatasetRef

    store = open_store(root)
    return Library(store, embeddings=DatasetRef.parse(embeddings) if embeddings else store.require("embeddings"))


def local_workers() -> "Workers":
    """A decoding process for each core."""
    from audioae.pipeline.config import Workers

    return Workers(n=len(os.sched_getaffinity(0)))


@contextmanager
def reporting() -> Iterator["Progress"]:
    """A line on stderr that says what is being done, how far, and for how long yet."""
    console = Console(stderr=True, markup=False, emoji=False)
    with console.status("starting") as status:
        started: dict[str, float] = {}

        def report(what: str, done: int, total: int) -> None:
            key = what.split(":")[0]
            began = started.setdefault(key, time.monotonic())
            rate = done / max(time.monotonic() - began, 1e-9)
            eta = f", {done}/{total}, ETA {(total - done) / rate:.0f} s" if 0 < done < total else ""
            status.update(Text(f"{what}{eta}"))  # of a text it would take the markup, whatever the console says
            if done == total:
                console.print(f"{what}: done", style="dim")

        yield report
