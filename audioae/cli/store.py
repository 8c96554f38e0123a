"""Commands about a store as a whole: what it covers, which versions it has, and its upkeep."""

from typing import Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, plain, rows_table, show
from audioae.errors import DamageError, StoreError


def coverage(store: StoreOption = "data", as_json: JsonOption = False) -> None:
    """Count the tracks in every state: embedded, exact duplicate, rejected (by reason), pending.

    The states add up to the size of the catalog. A track that failed for a reason that may pass (unreadable, timeout,
    crashed, out of memory) is pending: later runs try it again, run.decode_attempts times in all.
    """
    from dataclasses import asdict

    from audioae.pipeline.accounting import account_store

    sums = account_store(open_store(store))
    rows = [
        {"state": "embedded", "tracks": sums.embedded},
        {"state": "exact duplicate", "tracks": sums.duplicates},
        *({"state": f"rejected: {reason}", "tracks": count} for reason, count in sums.rejected.items()),
        *({"state": state, "tracks": count} for state, count in sums.pending_states.items()),
        {"state": "catalog", "tracks": sums.n_tracks},
    ]
    repeated = f"{sums.padded} of the embedded tracks are shorter than 3 s and were repeated to fill a clip"
    padded = [repeated] if sums.padded else []
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


export_app = typer.Typer(no_args_is_help=True, help="Export the contents of the store for other tools.")


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


@export_app.command("atlas")
def export_atlas(
    out: Annotated[str, typer.Argument(help="The Parquet file to write.")],
    server: Annotated[
        str | None,
        typer.Option(help="Address of a server of this store: the column `audio` then has its clips, not files."),
    ] = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Export the map, the nearest neighbors and the metadata for Embedding Atlas.

    Columns: track_id, title, artist, album, label, year, duration_s, region, findings, x and y (of the map, if there is
    one), neighbors (row numbers and cosine distances), audio.

    \b
    Example:
      audioae export atlas atlas.parquet
      uvx embedding-atlas atlas.parquet --x x --y y --neighbors neighbors --text title
    """
    from audioae.api import Library
    from audioae.explore.atlas_export import export_atlas as write

    n_rows = write(Library(open_store(store)), out, server=server)
    show(as_json, {"path": out, "rows": n_rows}, [f"{n_rows} tracks written to {out}"])


@export_app.command("projector")
def export_projector(
    out: Annotated[str, typer.Argument(help="The folder to write to.")],
    max_tracks: Annotated[
        int,
        typer.Option(min=2, help="Write at most this many tracks, evenly spaced: the projector runs in the browser."),
    ] = 10_000,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Export embeddings and metadata for TensorBoard's Embedding Projector.

    \b
    Example:
      audioae export projector projector
      tensorboard --logdir projector
    """
    from audioae.api import Library
    from audioae.explore.projector_export import export_projector as write

    n, total = write(Library(open_store(store)), out, max_tracks=max_tracks)
    sampled = f", evenly spaced over {total}" if n < total else ""
    show(as_json, {"path": out, "rows": n, "total": total}, [f"{n} tracks written to {out}{sampled}"])


def versions(
    verify: Annotated[
        bool, typer.Option("--verify", help="Check every part of the current versions first, as `audioae verify` does.")
    ] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """List every published version, newest first; * marks the current one.

    The note says `pinned` where a rollback holds a version, and `not whole` where parts of it are gone.
    """
    from audioae.store.fsck import check_current
    from audioae.store.upkeep import EVERY, list_versions

    opened = open_store(store)
    rows = [row for dataset in EVERY for row in list_versions(opened, dataset)]
    if not rows:
        opened.require("tracks")
    if verify:
        for fault in check_current(opened):
            raise DamageError(f"{fault.where}: {fault.what}; `audioae verify` lists every fault")
    columns = ("ref", "current", "published", "rows", "parts", "MB", "note")
    verified = ["every part verified"] if verify else []
    shown = [{**row, "published": f"{row['published'][:10]} {row['published'][11:16]}"} for row in rows]  # UTC
    show(as_json, rows, [rows_table(shown, columns, opened.storage.locate("")), *verified])


def rollback(
    dataset: Annotated[str, typer.Argument(help="A dataset, such as index, embeddings or model.")],
    version: Annotated[str | None, typer.Argument(help="The version to go back to; default: the previous one.")] = None,
    release: Annotated[
        bool, typer.Option("--release", help="End an earlier rollback: the next run makes the newest version current.")
    ] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Make an earlier version of a dataset current again, and pin it.

    Nothing is deleted. Runs that repeat what you rolled back leave the pinned version current; a run with other inputs
    (new tracks, other settings) that publishes a newer version ends the pin. `audioae versions` shows it.

    \b
    Examples:
      audioae rollback index             undo a bad publication: every answer comes from the index and its ancestors
      audioae rollback index --release   let the next run make the newest index current
    """
    from audioae.store.upkeep import release as end
    from audioae.store.upkeep import rollback as move

    if release and version:
        raise StoreError(f"--release takes no version, got {version!r}; it ends the pin of {dataset}")
    opened = open_store(store)
    ref = end(opened, dataset) if release else move(opened, dataset, version)
    pointer = opened.pointer(dataset)
    pinned = bool(pointer and pointer.pin)
    state = "pinned" if pinned else "not pinned: the next run makes the newest version current"
    show(as_json, {"current": str(ref), "pinned": pinned}, [f"{dataset} is now {ref}, {state}"])


def prune(
    keep: Annotated[int, typer.Option(help="Versions of each dataset to keep.")] = 3,
    grace_hours: Annotated[
        float, typer.Option(help="Keep objects younger than this: a running pipeline may need them.")
    ] = 24,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be deleted, and delete nothing.")] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Delete old versions, and the parts that no remaining version needs.

    Versions that were current within --grace-hours are kept: whoever opened one has that long to finish. Unfinished
    files and uploads of killed runs are deleted when they are older than that. A run may go on meanwhile: parts that
    were written since the last version of their dataset are kept 30 times as long.
    """
    from datetime import timedelta

    from audioae.store.prune import prune as remove

    pruned = remove(open_store(store), keep=keep, grace=timedelta(hours=grace_hours), dry_run=dry_run)
    result = {"versions": [str(ref) for ref in pruned.versions], "objects": pruned.objects, "bytes": pruned.n_bytes}
    verb = "would remove" if dry_run else "removed"
    counts = f"{len(pruned.versions)} versions, {len(pruned.objects)} objects, {pruned.n_bytes / 1e6:.1f} MB"
    show(as_json, result, [f"{verb} {counts}"])
