"""The commands `audioae aliases ...`: the IDs that other systems have for the catalog's tracks."""

from typing import Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, rows_table, show
from audioae.errors import ConfigError

COLUMNS = ("namespace", "aliases", "in_catalog", "matched_by", "imported_at")
SHOWN = 10  # reasons

app = typer.Typer(
    no_args_is_help=True,
    help="The IDs that other systems (media servers, streaming services) have for the tracks, each under a namespace.",
)


@app.command("import", no_args_is_help=True)
def import_file(
    file: Annotated[
        str,
        typer.Argument(
            help="A .csv, .tsv, .jsonl (each also .gz) or .parquet with the column external_id, and any of track_id, "
            "isrc, musicbrainz_id, path, and title, artist, album and duration_s."
        ),
    ],
    namespace: Annotated[str, typer.Option(help="The system that the IDs are of, such as navidrome.")],
    column: Annotated[
        list[str] | None, typer.Option(help="What the file calls one of these columns: external_id=id; repeatable.")
    ] = None,
    strip_prefix: Annotated[str | None, typer.Option(help="What the file's paths begin with, to take away.")] = None,
    path_prefix: Annotated[
        str | None, typer.Option(help="What the catalog's paths begin with, to put in its place.")
    ] = None,
    duration_tolerance: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds by which two durations of one recording may differ.")
    ] = 2.0,
    add: Annotated[bool, typer.Option("--add", help="Keep the aliases that the namespace has.")] = False,
    out: Annotated[str | None, typer.Option(help="Write the unmatched rows as CSV, each with its reason.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Match, and publish nothing.")] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Match another system's tracks with the catalog, and keep their IDs.

    A row is matched by the first of these that finds exactly one track: track_id; isrc; musicbrainz_id (of the
    recording); the end of its path (the file's name and folder at least); title, artist and duration. Importing a
    namespace again replaces it; other namespaces stay as they are.

    \b
    Examples:
      audioae aliases import songs.csv --namespace navidrome --column external_id=id
      audioae aliases import songs.csv --namespace plex --strip-prefix /music --path-prefix /nas/music
      audioae aliases import isrcs.parquet --namespace deezer --dry-run --out unmatched.csv
    """
    from audioae.pipeline.alias_matching import MatchOptions
    from audioae.pipeline.aliases import import_aliases, write_unmatched
    from audioae.store.dataset import Store

    options = MatchOptions(strip_prefix=strip_prefix, path_prefix=path_prefix, duration_tolerance_s=duration_tolerance)
    done = import_aliases(
        Store(store), file, namespace, columns=_columns(column or []), options=options, add=add, dry_run=dry_run
    )
    if out:
        write_unmatched(done.unmatched, out)
    n_unmatched, n_matched = done.unmatched.num_rows, sum(done.matched.values())
    counts = {"rows": done.n_rows, "matched": done.matched, "unmatched": n_unmatched, "reasons": done.reasons}
    ref = str(done.ref) if done.ref else None
    lines = [f"{n_matched:,} of {done.n_rows:,} rows have a track: {_counts(done.matched)}"]
    if n_unmatched:
        lines.append(f"{n_unmatched:,} rows have none:")
        lines += [f"  {n:,}  {reason}" for reason, n in list(done.reasons.items())[:SHOWN]]
    lines += [f"wrote {out}"] if out else []
    lines.append(f"{namespace} is in {ref}, for {done.tracks}" if ref else "dry run: nothing was published")
    show(as_json, {"namespace": namespace, "aliases": ref, "tracks": str(done.tracks), **counts}, lines)


@app.command("list")
def list_namespaces(store: StoreOption = "data", as_json: JsonOption = False) -> None:
    """List the namespaces: how many aliases each has, and how many of their tracks the catalog still has."""
    from audioae.pipeline.aliases import list_aliases

    rows = list_aliases(open_store(store))
    shown = [{**row, "matched_by": _counts(row["matched_by"])} for row in rows]
    empty = "no aliases yet; `audioae aliases import FILE --namespace NAME` adds some"
    show(as_json, rows, [rows_table(shown, COLUMNS, str(rows[0]["version"]))] if rows else [empty])


@app.command("remove")
def remove(
    namespace: Annotated[str, typer.Argument(help="The namespace to remove.")],
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Remove a namespace. `audioae rollback aliases` brings it back."""
    from audioae.pipeline.aliases import remove_aliases
    from audioae.store.dataset import Store

    ref = remove_aliases(Store(store), namespace)
    show(as_json, {"removed": namespace, "aliases": str(ref)}, [f"{namespace} is no longer in {ref}"])


def _counts(matched: dict[str, int]) -> str:
    return ", ".join(f"{rule} {n:,}" for rule, n in matched.items())


def _columns(texts: list[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise ConfigError(f"--column {text}: wanted OURS=THEIRS, such as external_id=id")
    return dict(text.split("=", 1) for text in texts)
