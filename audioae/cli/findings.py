"""The command `audioae findings`: what is wrong with which track, worst first: the list that people work through."""

from typing import Annotated, Any

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, plain, rows_table, show
from audioae.errors import SearchError

COLUMNS = ("rank", "score", "issue", "finding")
OVERVIEW = ("check", "screened", "issues", "findings", "cannot tell", "threshold")
MEMBERS = 3  # of a group, by track_id in the table; --out and --json have all
FIGURES = 8  # of what a check measured, in the table; --json has all


def findings(
    check: Annotated[
        str | None, typer.Option(help="mislabeled, corrupt, generated or duplicate; default: all.")
    ] = None,
    budget: Annotated[int, typer.Option(help="How many findings, the worst first.")] = 20,
    issues_only: Annotated[bool, typer.Option("--issues-only", help="Nothing above the check's threshold.")] = False,
    track: Annotated[str | None, typer.Option(help="All that is known about one track (track_id, title).")] = None,
    out: Annotated[str | None, typer.Option(help="Write the list as CSV, with a column to fill in: verdict.")] = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """What every check found; with --check the worst findings in order; with --track all about one track.

    A whole album with the wrong label is one finding, and so are all copies of a recording. Fill in `verdict` in the
    CSV (issue or fine) and give it back: `python -m flows.screen CONFIG --set screen.verdicts=worst.csv`

    Examples: `audioae findings`, `audioae findings --check mislabeled --budget 200 --out worst.csv`
    """
    from audioae.screening.findings import open_findings

    found = open_findings(open_store(store))
    if track is not None:
        _show_track(found, track, as_json)
        return
    if check is None:
        if out or issues_only:
            raise SearchError(f"a list is of one check: add --check, one of {', '.join(found.screenings)}")
        _show_overview(found, as_json)
        return
    listed, n_fine = found.worst(check, budget, issues_only=issues_only)
    result = {"findings": str(found.ref), "check": check, "judged_fine": n_fine, "worst": plain_rows(listed)}
    lines = _list(found, check, listed, n_fine)
    if out:
        from audioae.screening.findings import write_list

        n_rows = write_list(listed, out)
        lines.append(f"{n_rows} tracks written to {out}: fill in the column verdict with issue or fine")
    show(as_json, result, lines)


def plain_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [plain(row) for row in rows]


def _list(found: Any, check: str, listed: list[dict[str, Any]], n_fine: int) -> list[Any]:
    shown = [{**row, "issue": "yes" if row["issues"] else "no", "finding": _told_in_lines(row)} for row in listed]
    threshold = found.screenings[check]["threshold"]
    title = f"{check}: {len(listed)} findings, the worst first; issues score below {threshold:.3g}"
    lines: list[Any] = [rows_table(shown, COLUMNS, title)]
    if n_fine:
        lines.append(f"left out: {n_fine} tracks that were judged fine")
    return [*lines, *_told(found, [found.screenings[check]])]


def _told_in_lines(row: dict[str, Any]) -> str:
    """What it is, why, where to listen, what to do: a line each."""
    alone = f"{row['title'] or row['uri']} - {row['artist'] or 'no artist'}, {row['label'] or 'no label'}"
    several = f"{row['group']}: {row['tracks']} tracks, {row['issues']} to mend"
    sure = "" if row["confidence"] is None or row["verdict"] else f"confidence {row['confidence']:.2f}"
    lines = [
        several if row["tracks"] > 1 else alone,
        row["why"],
        f"listen at {places} s" if (places := _places(row["evidence"])) else None,
        "; ".join(part for part in (f"suggested: {row['suggestion']}" if row["suggestion"] else "", sure) if part),
        "judged an issue" if row["verdict"] == "issue" else None,
        " ".join(member["track_id"] for member in row["members"][:MEMBERS])
        + (" ..." if row["tracks"] > MEMBERS else ""),
    ]
    return "\n".join(line for line in lines if line)


def _places(evidence: dict[str, Any]) -> str:
    """Seconds, or spans of them, whichever the check gave."""
    seconds = evidence.get("listen_s")
    places = seconds if isinstance(seconds, list) else [] if seconds is None else [seconds]
    return ", ".join(_second(place) for place in places[:3])


def _second(place: Any) -> str:
    return "-".join(f"{x:.1f}" for x in place) if isinstance(place, list) else f"{place:.1f}"


def _show_overview(found: Any, as_json: bool) -> None:
    rows = found.overview()
    lines: list[Any] = [rows_table(rows, OVERVIEW, str(found.ref))]
    for row in rows:
        for name, measured in (
            ("by its own measure", {key: value for key, value in row["measured"].items() if key != "verdicts"}),
            ("by people's verdicts", row["measured"].get("verdicts", {})),
        ):
            if figures := _figures(measured):
                more = f"; {len(figures) - FIGURES} more with --json" if len(figures) > FIGURES else ""
                lines.append(f"{row['check']}, {name}: {'; '.join(figures[:FIGURES])}{more}")
    result = {"findings": str(found.ref), "index": str(found.index_ref), "checks": plain_rows(rows)}
    show(as_json, result, [*lines, *_told(found, rows), f"the worst: audioae findings --check {rows[0]['check']}"])


def _told(found: Any, rows: list[dict[str, Any]]) -> list[str]:
    lines = [f"{row['check']}, left out: {sentence}" for row in rows for sentence in row["omitted"]]
    return [*lines, found.outdated] if found.outdated else lines


def _figures(measured: Any, name: str = "") -> list[str]:
    """Numbers of nested figures, each with where it stands; those of the whole before those of its parts."""
    if isinstance(measured, dict):
        ordered = sorted(measured.items(), key=lambda item: isinstance(item[1], dict))
        return [line for key, value in ordered for line in _figures(value, f"{name} {key}".strip())]
    return [f"{name} {measured:.3g}"] if isinstance(measured, (int, float)) else []


def _show_track(found: Any, query: str, as_json: bool) -> None:
    from audioae.api import Library

    track = Library(found.store, found.index_ref).find(query)
    rows = found.of_track(track["track_id"])
    lines: list[Any] = [f"{track['title']} - {track['artist'] or 'no artist'}: {track['uri']}"]
    for row in rows:
        evidence = {name: value for name, value in row["evidence"].items() if name not in ("why", "rules", "neighbors")}
        told = {name: row[name] for name in ("is_issue", "score", "group", "suggestion", "confidence", "why")}
        values = {name: _readable(value) for name, value in {**told, **evidence}.items() if value is not None}
        lines.append(
            rows_table([{"": name, "value": value} for name, value in values.items()], ("", "value"), row["check"])
        )
        for part in ("rules", "neighbors"):
            if listed := row["evidence"].get(part):
                readable = [{name: _readable(value) for name, value in entry.items()} for entry in listed]
                lines.append(rows_table(readable, tuple(listed[0]), f"{row['check']}: {part}"))
    if not rows:
        lines.append("no check looked at it: `audioae explain` says what became of it")
    result = {"findings": str(found.ref), "track": plain(track), "checks": plain_rows(rows)}
    show(as_json, result, [*lines, *([found.outdated] if found.outdated else [])])


def _readable(value: Any) -> Any:
    """Hertz and samples without exponents."""
    return f"{value:.6g}" if isinstance(value, float) else value
