"""The command `audioae findings`: the tracks that the checks flagged, worst first, as a list to work through."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, plain, rows_table, show
from audioae.display import Lines, shown
from audioae.errors import SearchError

if TYPE_CHECKING:
    from audioae.screening.findings import Findings

COLUMNS = ("rank", "score", "issue", "finding")
OVERVIEW = ("check", "screened", "issues", "findings", "cannot tell", "threshold")
MEMBERS = 3  # of a group, by track_id in the table; --out and --json have all


def findings(
    check: Annotated[
        str | None, typer.Option(help="List the findings of this check; default: an overview of all checks.")
    ] = None,
    budget: Annotated[int, typer.Option(help="Number of findings to list, worst first.")] = 20,
    issues_only: Annotated[
        bool, typer.Option("--issues-only", help="Only findings below the check's threshold.")
    ] = False,
    track: Annotated[str | None, typer.Option(help="Everything known about one track (a track_id or a title).")] = None,
    out: Annotated[str | None, typer.Option(help="Write the list as CSV, with a column `verdict` to fill in.")] = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Show what the checks found: an overview, the worst findings of a check, or one track.

    Scores run from 0 (bad) to 1 (fine). A whole album with the wrong label is one finding, and so are all copies of a
    recording. To give feedback, fill in `verdict` in the CSV (issue or fine) and pass the file back:
    `audioae run screen CONFIG --set screen.verdicts=worst.csv`

    \b
    Examples:
      audioae findings
      audioae findings --check mislabeled --budget 200 --out worst.csv
      audioae findings --track "Night Drive"
    """
    from audioae.screening.findings import open_findings

    opened = open_findings(open_store(store))
    if track is not None:
        _show_track(opened, track, as_json)
        return
    if check is None:
        if out or issues_only:
            raise SearchError(f"a list needs a check: add --check, one of {', '.join(opened.screenings)}")
        _show_overview(opened, as_json)
        return
    rows, n_fine = opened.worst(check, budget, issues_only=issues_only)
    result = {"findings": str(opened.ref), "check": check, "judged_fine": n_fine, "worst": plain_rows(rows)}
    lines = _list(opened, check, rows, n_fine)
    if out:
        from audioae.screening.findings import write_list

        n_rows = write_list(rows, out)
        lines.append(f"{n_rows} tracks written to {out}: fill in the column verdict with issue or fine")
    show(as_json, result, lines)


def plain_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [plain(row) for row in rows]


def _list(opened: "Findings", check: str, rows: list[dict[str, Any]], n_fine: int) -> list[Any]:
    cells = [{**row, "issue": "yes" if row["issues"] else "no", "finding": _in_lines(row)} for row in rows]
    threshold = opened.screenings[check]["threshold"]
    title = f"{check}: {len(rows)} findings, worst first; issues score below {threshold:.3g}"
    lines: list[Any] = [rows_table(cells, COLUMNS, title)]
    if n_fine:
        lines.append(f"left out: {n_fine} tracks that were judged fine")
    return [*lines, *_notes(opened, [opened.screenings[check]])]


def _in_lines(row: dict[str, Any]) -> str:
    """The track or group, the reason, where to listen, what to do: one line each."""
    names = row["title"] or row["uri"], row["artist"] or "no artist", row["label"] or "no label"
    alone = "{} - {}, {}".format(*names)
    group = f"{row['group']}: {row['tracks']} tracks, {row['issues']} to fix"
    confidence = "" if row["confidence"] is None or row["verdict"] else f"confidence {row['confidence']:.2f}"
    suggestion = f"suggested: {row['suggestion']}" if row["suggestion"] else ""
    lines = [
        group if row["tracks"] > 1 else alone,
        row["why"],
        f"listen at {places} s" if (places := _places(row["evidence"])) else None,
        "; ".join(part for part in (suggestion, confidence) if part),
        "judged an issue" if row["verdict"] == "issue" else None,
        " ".join(member["track_id"] for member in row["members"][:MEMBERS])
        + (" ..." if row["tracks"] > MEMBERS else ""),
    ]
    return Lines("\n".join(shown(line) for line in lines if line))


def _places(evidence: dict[str, Any]) -> str:
    """Seconds or spans of seconds, whichever the check gave."""
    seconds = evidence.get("listen_s")
    places = seconds if isinstance(seconds, list) else [] if seconds is None else [seconds]
    return ", ".join(_second(place) for place in places[:3])


def _second(place: Any) -> str:
    return "-".join(f"{x:.1f}" for x in place) if isinstance(place, list) else f"{place:.1f}"


def _show_overview(opened: "Findings", as_json: bool) -> None:
    rows = opened.overview()
    accuracy = [f"{row['check']}: {sentence}" for row in rows for sentence in row["accuracy"]]
    lines = [rows_table(rows, OVERVIEW, str(opened.ref)), *accuracy, *_notes(opened, rows)]
    result = {"findings": str(opened.ref), "index": str(opened.index_ref), "checks": plain_rows(rows)}
    show(as_json, result, [*lines, f"To list the worst: audioae findings --check {rows[0]['check']}"])


def _notes(opened: "Findings", rows: list[dict[str, Any]]) -> list[str]:
    lines = [f"{row['check']}: left out: {sentence}" for row in rows for sentence in row["omitted"]]
    return [*lines, opened.outdated] if opened.outdated else lines


def _show_track(opened: "Findings", query: str, as_json: bool) -> None:
    from audioae.api import Library

    track = Library(opened.store, opened.index_ref).find(query)
    rows = opened.of_track(str(track.track_id))
    title, artist = shown(str(track.title)), shown(track.artist or "no artist")
    lines: list[Any] = [f"{title} - {artist}: {shown(str(track.uri), None)}"]
    for row in rows:
        evidence = {name: value for name, value in row["evidence"].items() if name not in ("why", "rules", "neighbors")}
        columns = {name: row[name] for name in ("is_issue", "score", "group", "suggestion", "confidence", "why")}
        values = {name: _readable(value) for name, value in {**columns, **evidence}.items() if value is not None}
        lines.append(
            rows_table([{"": name, "value": value} for name, value in values.items()], ("", "value"), row["check"])
        )
        for part in ("rules", "neighbors"):
            if entries := row["evidence"].get(part):
                readable = [{name: _readable(value) for name, value in entry.items()} for entry in entries]
                lines.append(rows_table(readable, tuple(entries[0]), f"{row['check']}: {part}"))
    if not rows:
        lines.append("no check looked at this track; `audioae explain` shows its state")
    result = {"findings": str(opened.ref), "track": plain(track), "checks": plain_rows(rows)}
    show(as_json, result, [*lines, *([opened.outdated] if opened.outdated else [])])


def _readable(value: Any) -> Any:
    """Hertz and samples without exponents."""
    return f"{value:.6g}" if isinstance(value, float) else value
