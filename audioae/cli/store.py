"""Commands about a store as a whole: what it covers, which versions it has, and its upkeep."""

from typing import Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, plain, rows_table, show


def coverage(store: StoreOption = "data", as_json: JsonOption = False) -> None:
    """Count the tracks in every state: embedded, exact duplicate, rejected (by reason), pending.

    The states add up to the size of the catalog.
    """
    from dataclasses import asdict

    from audioae.pipeline.accounting import account_store

    sums = account_store(open_store(store))
    rows = [
        {"state": "embedded", "tracks": sums.embedded},
        {"state": "exact duplicate", "tracks": sums.duplicates},
        *({"state": f"rejected: {reason}", "tracks": count} for reason, count in sums.rejected.items()),
        {"state": "pending", "tracks": sums.pending},
        {"state": "catalog", "tracks": sums.n_tracks},
    ]
    padded = [f"{sums.padded} of the embedded tracks are shorter than 3 s and were padded"] if sums.padded else []
    show(as_json, asdict(sums), [rows_table(rows, ("state", "tracks"), store), *padded])


def explain(
    query: Annotated[str, typer.Argument(help="A track_id or a title.")],
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Show everything about one track: file, rows, parts, clips, evidence, state, neighbors and findings."""
    from audioae.api import Library
    from audioae.report.explain import explain_track

    result = explain_track(Library(open_store(store)), query)
    tables = [
        rows_table([{"": name, "value": value} for name, value in content.items()], ("", "value"), section)
        if isinstance(content, dict)
        else rows_table(content, tuple(content[0]) if content else (), section)
        for section, content in result.items()
    ]
    show(as_json, plain(result), tables)


export_app = typer.Typer(no_args_is_help=True, help="Export the contents of the store to one file.")


@export_app.command("embeddings")
def export_embeddings(
    out: Annotated[str, typer.Argument(help="The Parquet file to write.")],
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Export embeddings with the tracks' metadata to one Parquet file.

    Columns: track_id, uri, title, artist, album, label, year, duration_s, split, duplicate_of, numeric_id (an ID for
    databases that need a number), embedding (128 float32), model.
    """
    from audioae.library.export import export_embeddings as write

    n_rows = write(open_store(store), out)
    show(as_json, {"path": out, "rows": n_rows}, [f"{n_rows} embeddings written to {out}"])


def versions(
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the hash of every part of the current versions.")
    ] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """List every published version, newest first; * marks the current one."""
    from audioae.store.upkeep import ON_REQUEST, PUBLISHED

    opened = open_store(store)
    rows = []
    for dataset in (*PUBLISHED, *ON_REQUEST):
        current = opened.latest(dataset)
        for ref, time in opened.versions(dataset):
            manifest = opened.manifest(ref)
            n_bytes = sum(part.bytes for part in manifest.parts)
            row = {
                "ref": str(ref),
                "current": "*" if ref == current else "",
                "written": time.isoformat(timespec="seconds"),
            }
            rows.append({**row, "rows": manifest.rows, "parts": len(manifest.parts), "MB": round(n_bytes / 1e6, 2)})
        if verify and current:
            opened.verify(current)
    if not rows:
        opened.require("tracks")
    columns = ("ref", "current", "written", "rows", "parts", "MB")
    verified = ["every part verified"] if verify else []
    show(as_json, rows, [rows_table(rows, columns, opened.storage.locate("")), *verified])


def rollback(
    dataset: Annotated[str, typer.Argument(help="A dataset, such as index, embeddings or model.")],
    version: Annotated[str | None, typer.Argument(help="The version to go back to; default: the previous one.")] = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Make an earlier version of a dataset current again.

    Nothing is deleted. Warning: the next pipeline run makes the newest version current again; pause the schedule first.

    `audioae rollback index` undoes a bad publication: every answer comes from the index and the versions behind it.
    """
    from audioae.store.upkeep import rollback as move

    ref = move(open_store(store), dataset, version)
    show(as_json, {"current": str(ref)}, [f"{dataset} is now {ref}"])


def prune(
    keep: Annotated[int, typer.Option(help="Versions of each dataset to keep.")] = 3,
    grace_hours: Annotated[
        float, typer.Option(help="Keep objects younger than this: a running pipeline may need them.")
    ] = 24,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be deleted, and delete nothing.")] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Delete old versions, and the parts that no remaining version needs."""
    from datetime import timedelta

    from audioae.store.prune import prune as remove

    pruned = remove(open_store(store), keep=keep, grace=timedelta(hours=grace_hours), dry_run=dry_run)
    result = {"versions": [str(ref) for ref in pruned.versions], "objects": pruned.objects, "bytes": pruned.n_bytes}
    verb = "would remove" if dry_run else "removed"
    counts = f"{len(pruned.versions)} versions, {len(pruned.objects)} objects, {pruned.n_bytes / 1e6:.1f} MB"
    show(as_json, result, [f"{verb} {counts}"])
