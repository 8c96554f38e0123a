"""The command `audioae`: questions to a store. Every command takes --store and --json, and has --help.

Heavy packages are imported inside the commands, so that `audioae --help` answers at once.
"""

import sys
from typing import Annotated

import typer

from audioae.cli import evaluate, findings, playlist, recommend, report, similar
from audioae.cli.show import JsonOption, StoreOption, open_store, plain, rows_table, show
from audioae.errors import AudioaeError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ask a store: what sounds alike, what became of each track, which versions there are.\n\n"
    "A store is made by `python -m flows.pipeline CONFIG`.",
)

app.command("similar")(similar.similar)
app.command("findings")(findings.findings)


@app.command()
def coverage(store: StoreOption = "data", as_json: JsonOption = False) -> None:
    """Where every track of the catalog is: embedded, duplicate, rejected (why), or pending. The sums must come out."""
    from dataclasses import asdict

    from audioae.pipeline.accounting import account_store

    sums = account_store(open_store(store))
    rows = [
        {"state": "embedded", "tracks": sums.embedded},
        {"state": "duplicate_of another", "tracks": sums.duplicates},
        *({"state": f"rejected: {reason}", "tracks": count} for reason, count in sums.rejected.items()),
        {"state": "pending", "tracks": sums.pending},
        {"state": "catalog", "tracks": sums.n_tracks},
    ]
    show(
        as_json,
        asdict(sums),
        [
            rows_table(rows, ("state", "tracks"), store),
            f"{sums.padded} of the embedded tracks are shorter than 3 s, hence padded",
        ],
    )


@app.command()
def explain(
    query: Annotated[str, typer.Argument(help="A track_id or a title.")],
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Everything about one track: its file, rows, parts, clips, evidence, state, and its neighbors."""
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


export_app = typer.Typer(no_args_is_help=True, help="Write what the store holds into one file.")
app.add_typer(export_app, name="export")


@export_app.command("embeddings")
def export_embeddings(
    out: Annotated[str, typer.Argument(help="The Parquet file to write.")],
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Embeddings with the tracks' metadata, as one Parquet file.

    Columns: track_id, uri, title, artist, album, label, embedding (128 float32), model.
    """
    from audioae.library.export import export_embeddings as write

    n_rows = write(open_store(store), out)
    show(as_json, {"path": out, "rows": n_rows}, [f"{n_rows} embeddings written to {out}"])


app.command("evaluate")(evaluate.evaluate)
app.command("compare")(evaluate.compare)
app.command("playlist")(playlist.playlist)
app.add_typer(recommend.app, name="recommend")
app.command("report")(report.report)


@app.command()
def versions(
    verify: Annotated[bool, typer.Option("--verify", help="Hash every part of the current versions.")] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Every published version, newest first; * marks the current one."""
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


@app.command()
def rollback(
    dataset: Annotated[str, typer.Argument(help="tracks, mels, model, embeddings or index.")],
    version: Annotated[str | None, typer.Argument(help="The version to go back to; default: the previous one.")] = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Make an earlier version current again. Nothing is deleted; the next pipeline run publishes anew.

    `audioae rollback index` is what undoes a bad publication: every answer comes from the index's own ancestors.
    """
    from audioae.store.upkeep import rollback as move

    ref = move(open_store(store), dataset, version)
    show(as_json, {"current": str(ref)}, [f"{dataset} is now {ref}"])


@app.command()
def prune(
    keep: Annotated[int, typer.Option(help="Versions of each dataset to keep.")] = 3,
    grace_hours: Annotated[float, typer.Option(help="Leave objects younger than this: a run may need them.")] = 24,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Delete old versions, and parts that no version needs any more."""
    from datetime import timedelta

    from audioae.store.upkeep import prune as remove

    gone = remove(open_store(store), keep=keep, grace=timedelta(hours=grace_hours), dry_run=dry_run)
    result = {"versions": [str(ref) for ref in gone.versions], "objects": gone.objects, "bytes": gone.n_bytes}
    verb = "would remove" if dry_run else "removed"
    show(
        as_json,
        result,
        [f"{verb} {len(gone.versions)} versions, {len(gone.objects)} objects, {gone.n_bytes / 1e6:.1f} MB"],
    )


def main() -> None:
    """Run the command; what is wrong is one message on stderr and exit status 1."""
    try:
        app()
    except AudioaeError as error:
        sys.exit(f"{type(error).__name__}: {error}")
