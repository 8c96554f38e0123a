"""The command `audioae runs`: what ran on a store, when, by whom, and what came of it."""

from typing import Annotated, Any

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, plain, rows_table, show

SHOWN = 8  # characters of an ID: its end, because IDs that are made together begin alike
COLUMNS = ("run", "what", "started", "s", "state", "tracks", "rejected")


def runs(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="[N | show ID]", help="How many runs to list; or `show` and an ID (or `last`)."),
    ] = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """List the runs of a store, newest first, also those that failed; or show everything about one. Times are UTC.

    An ID is that of the flow run in Prefect; its end is enough, or its beginning.

    \b
    Examples:
      audioae runs
      audioae runs 100 --json
      audioae runs show last
      audioae runs show 42cd58ce
    """
    from audioae.pipeline.run_log import find_run, list_runs

    opened = open_store(store)
    words = query or ["20"]
    if words[0] == "show" and len(words) == 2:
        row = find_run(opened, words[1])
        show(as_json, plain(row), _lines(row))
        return
    if len(words) > 1 or not words[0].isdecimal() or int(words[0]) < 1:
        raise typer.BadParameter(f"got {' '.join(words)!r}; wanted a number of runs, or: show ID")
    rows = list_runs(opened, int(words[0]))
    lines = [rows_table([_brief(row) for row in rows], COLUMNS, store)] if rows else [f"no run is recorded in {store}"]
    show(as_json, [plain(row) for row in rows], lines)


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    """One line of the list; times are UTC."""
    tracks = next((counts["tracks"] for counts in row["counts"].values() if "tracks" in counts), None)
    return {
        "run": row["run_id"][-SHOWN:],
        "what": f"{row['flow']} {row['config_name']}",
        "started": f"{row['started_at']:%m-%d %H:%M}",
        "s": round((row["finished_at"] - row["started_at"]).total_seconds(), 1),
        "state": row["state"],
        "tracks": tracks,
        "rejected": None if row["rejects"] is None else sum(row["rejects"].values()),
    }


def _lines(row: dict[str, Any]) -> list[Any]:
    """Everything about one run but its config, which --json has."""
    when = {"started": row["started_at"].isoformat(timespec="seconds")}
    who = f"{row['user']}@{row['host']}"
    facts = {**_brief(row), "run": row["run_id"], **when, "who": who, "error": row["error"]}
    sections = {name: row[name] for name in ("seconds", "refs", "rejects", "drift", "versions") if row[name]}
    sections |= {f"counts of {stage}": counts for stage, counts in row["counts"].items()}
    tables = [_table(name, content) for name, content in {"": facts, **sections}.items()]
    return [*tables, *(f"warning: {warning}" for warning in row["warnings"])]


def _table(title: str, content: dict[str, Any]) -> Any:
    rows = [{"": name, "value": value} for name, value in content.items() if value is not None]
    return rows_table(rows, ("", "value"), title)
