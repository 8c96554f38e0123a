"""The commands `audioae verdicts ...`: what people judged in the explorer, which is kept in the store."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, rows_table, show
from audioae.display import shown
from audioae.errors import SearchError, StoreError

if TYPE_CHECKING:
    from audioae.screening.verdict_board import Board, Judgment

COLUMNS = ("check", "track_id", "verdict", "by", "at", "note", "others")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What people judged in the explorer: the screening takes it by itself; list it, or export it as CSV.",
)

CheckOption = Annotated[str | None, typer.Option(help="Only verdicts on this check; default: all.")]


@app.command("list")
def list_verdicts(check: CheckOption = None, store: StoreOption = "data", as_json: JsonOption = False) -> None:
    """Show the verdicts in force, and who says otherwise.

    \b
    Examples:
      audioae verdicts list
      audioae verdicts list --check mislabeled --json
    """
    board = _board(store, check)
    rows = [{**asdict(one), "others": [asdict(other) for other in board.others(one)]} for one in board.shown(check)]
    cells = [{**row, "others": _in_words(board, one)} for row, one in zip(rows, board.shown(check), strict=True)]
    cells = [{name: shown(row[name]) for name in COLUMNS} for row in cells]
    lines = [rows_table(cells, COLUMNS, f"{len(rows)} verdicts")] if rows else ["no verdicts yet; judge at /explore"]
    show(as_json, {"revision": board.revision, "verdicts": rows}, lines)


@app.command("export")
def export(
    out: Annotated[str, typer.Argument(help="The CSV to write; `--set screen.verdicts=FILE` takes it.")],
    check: CheckOption = None,
    store: StoreOption = "data",
) -> None:
    """Write the verdicts in force as the CSV that `audioae run screen` takes: for another store, or to keep them.

    \b
    Example: audioae verdicts export verdicts.csv
    """
    from audioae.output import write_whole

    board = _board(store, check)
    try:
        write_whole(out, board.to_csv(check).encode())
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error.strerror}); name a file in an existing folder") from error
    print(f"{sum(1 for _ in board.shown(check))} verdicts written to {out}")


def _board(store: str, check: str | None) -> "Board":
    from audioae.screening.registry import CHECKS
    from audioae.screening.verdict_log import VerdictLog

    if check is not None and check not in CHECKS:
        raise SearchError(f"no check {check!r}; wanted one of {', '.join(CHECKS)}")
    return VerdictLog(open_store(store).storage).read()


def _in_words(board: "Board", one: "Judgment") -> str:
    return "; ".join(f"{other.by}: {other.verdict}" for other in board.others(one))
