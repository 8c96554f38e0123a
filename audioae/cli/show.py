"""What every command of `audioae` shares: its options, the store, and how results are shown.

Conventions
-----------
- Nothing that is shown is terminal markup. Tags, paths and names are written by strangers, and a title such as `[/b]`
  would end the command. So nobody escapes and nobody writes `[bold]`; what must stand out is a `Text`.
- Cells are escaped and cut by `audioae.display`, as are all lines. A line's own breaks remain, so a line that contains
  a tag contains it as `shown`.
- rich is imported when something is shown, so that `audioae --help` stays quick.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audioae.display import LONGEST, Lines, shown

if TYPE_CHECKING:
    from rich.table import Table

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

    return Store(root, verify=False)


def show(as_json: bool, result: Any, lines: list[Any]) -> None:
    """Print `result` as JSON, or `lines` (text and tables) for a person."""
    if as_json:
        print(json.dumps(result, indent=1, default=str))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False)
    for line in lines:
        console.print(safe(line) if isinstance(line, str) else line, soft_wrap=not isinstance(line, Table))


def safe(text: str) -> str:
    """Text of several lines without what a terminal must not get."""
    return shown(Lines(text), None)


def rows_table(rows: list[dict[str, Any]], columns: tuple[str, ...], title: str) -> "Table":
    """A table with one line per row; missing and null values are empty cells."""
    from rich.table import Table

    table = Table(title=shown(title), title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("track_id", "ref"))
    for row in rows:
        table.add_row(*(_cell(row.get(column), column) for column in columns))
    return table


def _cell(value: Any, column: str) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else str(value)
    return shown(text, None if column == "uri" else LONGEST)


def plain(result: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that JSON can hold: dates become ISO 8601."""
    return json.loads(json.dumps(dict(result), default=lambda value: getattr(value, "isoformat", lambda: str(value))()))


def open_library(root: str, embeddings: str | None = None) -> "Library":
    """The store's current embeddings, or one version of them, whether indexed or not."""
    from audioae.api import Library
    from audioae.store.manifest import DatasetRef

    store = open_store(root)
    return Library(store, embeddings=DatasetRef.parse(embeddings) if embeddings else store.require("embeddings"))


def local_workers() -> "Workers":
    """One decoding process per core."""
    from audioae.pipeline.config import Workers

    return Workers(n=len(os.sched_getaffinity(0)))


@contextmanager
def progress_line() -> Iterator["Progress"]:
    """A callback that shows on stderr which step is running, how far it is, and how long it still takes."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, markup=False, emoji=False)
    with console.status("starting") as status:
        started: dict[str, float] = {}

        def progress(what: str, done: int, total: int) -> None:
            step = what.split(":")[0]
            start = started.setdefault(step, time.monotonic())
            rate = done / max(time.monotonic() - start, 1e-9)
            eta = f", {done}/{total}, ETA {(total - done) / rate:.0f} s" if 0 < done < total else ""
            status.update(Text(shown(f"{what}{eta}")))  # a plain string would be read as markup all the same
            if done == total:
                console.print(shown(f"{what}: done"), style="dim")

        yield progress
