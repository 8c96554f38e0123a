"""The command `audioae compare-versions`: what a retrain did to whom."""

from typing import Annotated, Any

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, progress_line, rows_table, show

LISTED = 5  # neighbors in a cell


def compare_versions(
    a: Annotated[str, typer.Argument(help="The earlier version: embeddings@1a2b... or index@1a2b...")],
    b: Annotated[str | None, typer.Argument(help="The later one. Default: the current embeddings.")] = None,
    max_tracks: Annotated[
        int,
        typer.Option(min=12, help="Measure at most this many tracks, sampled at random; their neighbors are exact."),
    ] = 10_000,
    top: Annotated[int, typer.Option(min=0, help="How many tracks, labels, regions and hubs to list.")] = 10,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Compare two versions of the embeddings: which tracks, labels and regions keep their nearest neighbors.

    overlap is the share of a track's 10 nearest neighbors that it keeps, cosine that of its two embeddings after the
    best rotation of one version (orthogonal Procrustes). Intervals are 95 %. `audioae versions` lists the versions.

    \b
    Examples:
      audioae compare-versions embeddings@1a2b3c4d5e6f
      audioae compare-versions index@1a2b3c4d5e6f index@6f5e4d3c2b1a --json
    """
    from audioae.evaluation.compare_versions import compare_versions as compare
    from audioae.store.manifest import DatasetRef

    opened = open_store(store)
    later = DatasetRef.parse(b) if b else opened.require("embeddings")
    with progress_line() as progress:
        result = compare(opened, DatasetRef.parse(a), later, max_tracks=max_tracks, top=top, progress=progress)
    show(as_json, result.document, [*_tables(result.document, top), *result["sentences"]])


def _tables(document: dict[str, Any], top: int) -> list[Any]:
    """The groups and the tracks that changed most, and the hubs."""
    tables = []
    for name in ("labels", "regions"):
        if rows := document[name][:top]:
            shown = [{**row, "95 % interval": _interval(row), "same before": row["same_a"]} for row in rows]
            shown = [{**row, "same after": row["same_b"]} for row in shown]
            columns = ("name", "n", "overlap", "95 % interval", "cosine", "same before", "same after")
            title = f"{name} that changed most (same: share of neighbors in the same one)"
            tables.append(rows_table(shown, columns, title))
    if document["changed"]:
        shown = [{**row, "lost": _others(row["before"]), "new": _others(row["after"])} for row in document["changed"]]
        columns = ("track_id", "title", "overlap", "cosine", "lost", "new")
        tables.append(rows_table(shown, columns, "tracks that changed most, with the neighbors that they lost and got"))
    for name in ("gained", "lost"):
        if rows := document["hubs"][name]:
            tables.append(rows_table(rows, ("track_id", "title", "artist", "before", "after"), f"hubs {name}"))
    return tables


def _others(neighbors: list[dict[str, Any]]) -> str:
    """The nearest of those that are neighbors in one version only."""
    names = [one["title"] or one["track_id"] for one in neighbors if not one["kept"]]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _interval(row: dict[str, Any]) -> str:
    return "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
