"""What every command of `audioae` shares: its options, the store, and how results are shown."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from audioae.store.dataset import Store

StoreOption = Annotated[
    str, typer.Option("--store", envvar="AUDIOAE_STORE", help="Root of the store: a folder or s3://bucket/prefix.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def open_store(root: str) -> "Store":
    from audioae.store.dataset import Store

    return Store(root)


def show(as_json: bool, result: Any, lines: list[Any]) -> None:
    if as_json:
        print(json.dumps(result, indent=1, default=str))
        return
    console = Console()
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
