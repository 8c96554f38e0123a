"""Import aliases: a file of another system's tracks becomes a namespace of the dataset `aliases`.

Conventions
-----------
- A namespace is replaced as a whole, or completed (`add`): then IDs that the file has take the place of earlier ones.
- An external ID means one track; a track may have several IDs. Rows that no rule matches are left out and reported.
- The same file and catalog give the same parts, and publish nothing new.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import
import pyarrow.csv

from audioae.config import fingerprint
from audioae.errors import ConfigError, SearchError
from audioae.output import whole_file
from audioae.pipeline.alias_files import read_alias_file
from audioae.pipeline.alias_matching import COLUMNS, RULES, Matches, MatchOptions, match_rows
from audioae.pipeline.alias_namespaces import ALIASES, Namespace, read_namespaces, update_namespaces
from audioae.store import schemas
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

NAME = re.compile(r"\w[\w.-]{0,63}", re.ASCII)
PART_ROWS = 1 << 20
SHOWN = 5


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes
    ----------
    ref : DatasetRef or None
        The version of `aliases` that is current now; None after a dry run.
    tracks : DatasetRef
        The catalog that was matched with.
    n_rows : int
        Of the file.
    matched : dict of str to int
        Number of rows that each rule matched.
    unmatched : pa.Table
        The other rows, with the `reason` of each.
    """

    ref: DatasetRef | None
    tracks: DatasetRef
    n_rows: int
    matched: dict[str, int]
    unmatched: pa.Table

    @property
    def reasons(self) -> dict[str, int]:
        """The number of unmatched rows by reason, the most frequent first."""
        counts = pc.value_counts(self.unmatched["reason"]).to_pylist()
        return {one["values"]: one["counts"] for one in sorted(counts, key=lambda one: -one["counts"])}


def import_aliases(
    store: Store,
    file: str,
    namespace: str,
    *,
    columns: Mapping[str, str] | None = None,
    options: MatchOptions | None = None,
    add: bool = False,
    dry_run: bool = False,
) -> Imported:
    """Match the rows of a file with the current catalog, and publish them as a namespace.

    Parameters
    ----------
    store : Store
    file : str
        See `alias_files`.
    namespace : str
    columns : mapping of str to str, optional
        What the file calls our columns.
    options : MatchOptions, optional
    add : bool
        Keep the aliases that the namespace has.
    dry_run : bool
        Publish nothing.

    Raises
    ------
    ConfigError
        If the file cannot be read, no row matches, or one external ID would mean two tracks.
    """
    check_name(namespace)
    options = options or MatchOptions()
    tracks_ref = store.require("tracks")
    rows, tracks = read_alias_file(file, columns), store.read(tracks_ref, COLUMNS).combine_chunks()
    matches = match_rows(rows, tracks, options)
    is_matched = matches.track >= 0
    if not is_matched.any():
        raise ConfigError(_no_match(file, rows, tracks, tracks_ref, matches))
    _check_unique(file, rows, tracks, matches)
    table = _aliases(namespace, rows, tracks, matches)
    ref = None if dry_run else _publish(store, namespace, table, tracks_ref, add=add)
    matched = {rule: int((matches.rule == i).sum()) for i, rule in enumerate(RULES)}
    left = pa.array(~is_matched & ~pc.is_in(rows["external_id"], value_set=table["external_id"]).to_numpy())
    unmatched = rows.append_column("reason", matches.reasons).filter(left)
    return Imported(ref, tracks_ref, rows.num_rows, {rule: n for rule, n in matched.items() if n}, unmatched)


def remove_aliases(store: Store, namespace: str) -> DatasetRef:
    """Publish `aliases` without a namespace. Raises `SearchError` if there is no such namespace."""
    names = read_namespaces(store, store.latest(ALIASES))
    if namespace not in names:
        raise SearchError(
            f"no namespace {namespace!r} of aliases in {store.root}; it has: {', '.join(names) or 'none'}"
        )
    return update_namespaces(store, {namespace: None})


def list_aliases(store: Store) -> list[dict[str, Any]]:
    """One row per namespace: how many aliases it has, how many of their tracks the current catalog still has, ..."""
    ref, tracks = store.latest(ALIASES), store.latest("tracks")
    known = (
        store.read(tracks, ["track_id"])["track_id"].combine_chunks() if ref and tracks else pa.array([], pa.string())
    )
    rows = []
    for name, namespace in read_namespaces(store, ref).items():
        table = _read(store, namespace.parts, ["track_id", "matched_by"])
        exists = pc.sum(pc.is_in(table["track_id"], value_set=known)).as_py() or 0
        counts = {one["values"]: one["counts"] for one in pc.value_counts(table["matched_by"]).to_pylist()}
        by = {rule: counts[rule] for rule in RULES if rule in counts}
        row = {"namespace": name, "aliases": namespace.rows, "in_catalog": exists, "matched_by": by}
        rows.append({**row, "imported_at": namespace.imported_at, "tracks": namespace.tracks, "version": str(ref)})
    return rows


def write_unmatched(unmatched: pa.Table, path: str) -> None:
    """Write rows without a track as CSV; a cell that a spreadsheet would compute gets an apostrophe in front."""
    columns = {}
    for name in unmatched.column_names:
        texts = pc.coalesce(unmatched[name].cast(pa.string()), pa.scalar(""))
        columns[name] = pc.if_else(pc.match_substring_regex(texts, r"^[=+\-@\t\r]"), _quoted(texts), texts)
    with whole_file(path) as unfinished:
        pyarrow.csv.write_csv(pa.table(columns), str(unfinished))


def _quoted(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise("'", texts, "")


def check_name(namespace: str) -> None:
    """Raise `ConfigError` unless a text can name a namespace."""
    if not NAME.fullmatch(namespace):
        raise ConfigError(f"namespace {namespace!r}: wanted up to 64 letters, digits, '.', '_' or '-'")


def _aliases(namespace: str, rows: pa.Table, tracks: pa.Table, matches: Matches) -> pa.Table:
    """The rows of the dataset, one per external ID, sorted."""
    matched = np.flatnonzero(matches.track >= 0)
    ids = rows["external_id"].combine_chunks().take(pa.array(matched))
    encoded = ids.dictionary_encode()
    first = np.full(len(encoded.dictionary), len(matched))
    first[encoded.indices.to_numpy()[::-1]] = np.arange(len(matched))[::-1]
    first = first[pc.sort_indices(encoded.dictionary).to_numpy()]
    chosen = matched[first]
    columns = {
        "namespace": pa.array([namespace]).take(pa.array(np.zeros(len(chosen), np.int64))),
        "external_id": ids.take(pa.array(first)),
        "track_id": tracks["track_id"].combine_chunks().take(pa.array(matches.track[chosen])),
        "matched_by": pa.array(RULES).take(pa.array(matches.rule[chosen])),
    }
    return pa.table(columns, schema=schemas.ALIASES)


def _check_unique(file: str, rows: pa.Table, tracks: pa.Table, matches: Matches) -> None:
    matched = np.flatnonzero(matches.track >= 0)
    encoded = rows["external_id"].combine_chunks().take(pa.array(matched)).dictionary_encode()
    code, group = encoded.indices.to_numpy(), matches.groups[matches.track[matched]]
    first = np.zeros(len(encoded.dictionary), np.int64)
    first[code[::-1]] = np.arange(len(matched))[::-1]
    wrong = np.flatnonzero(group != group[first[code]])
    if len(wrong):
        ids = tracks["track_id"]
        some = [
            f"{encoded.dictionary[int(code[i])].as_py()!r}: {ids[int(matches.track[matched[first[code[i]]]])]} in row "
            f"{matched[first[code[i]]] + 1}, {ids[int(matches.track[matched[i]])]} in row {matched[i] + 1}"
            for i in wrong[:SHOWN].tolist()
        ]
        raise ConfigError(
            f"{file}: {len(wrong)} rows give an external_id a second track; {'; '.join(some)}. Keep one row of each"
        )


def _publish(store: Store, namespace: str, table: pa.Table, tracks: DatasetRef, *, add: bool) -> DatasetRef:
    ref = store.latest(ALIASES)
    before = read_namespaces(store, ref).get(namespace)
    if add and before:
        kept = _read(store, before.parts, schemas.ALIASES.names)
        kept = kept.filter(pc.invert(pc.is_in(kept["external_id"], value_set=table["external_id"].combine_chunks())))
        table = pa.concat_tables([kept, table]).sort_by("external_id")
    table = table.combine_chunks()
    parts = tuple(_write(store, namespace, table.slice(i, PART_ROWS)) for i in range(0, table.num_rows, PART_ROWS))
    if ref and before and before.parts == parts:
        return ref
    imported_at = datetime.now(UTC).isoformat(timespec="seconds")
    change = Namespace(parts=parts, rows=table.num_rows, tracks=str(tracks), imported_at=imported_at)
    return update_namespaces(store, {namespace: change})


def _write(store: Store, namespace: str, table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.take(pa.array(np.arange(table.num_rows))).combine_chunks())
    name = f"{fingerprint(namespace)[:8]}-{hashlib.sha256(sink.getvalue()).hexdigest()[:16]}"
    store.write_part(ALIASES, name, table)
    return name


def _read(store: Store, parts: Sequence[str], columns: list[str]) -> pa.Table:
    return pa.concat_tables(store.read_part(ALIASES, part, columns) for part in parts)


def _no_match(file: str, rows: pa.Table, tracks: pa.Table, ref: DatasetRef, matches: Matches) -> str:
    counts = pc.value_counts(matches.reasons).to_pylist()
    why = "; ".join(f"{one['counts']:,} rows: {one['values']}" for one in counts[:SHOWN])
    message = f"{file}: none of its {rows.num_rows:,} rows means a track of {ref} ({why}). Nothing was imported."
    if "path" in rows.column_names and len(paths := rows["path"].drop_null()) and tracks.num_rows:
        return (
            f"{message} Its paths are like {paths[0].as_py()!r}, the catalog's like {tracks['uri'][0].as_py()!r}: "
            "--strip-prefix takes away what theirs begin with, --path-prefix puts ours in its place"
        )
    empty = [name for name in ("isrc", "musicbrainz_id") if name in rows.column_names and not _has(tracks, name)]
    if empty:
        return f"{message} No track of the catalog has {' or '.join(empty)}: add path, or title, artist and duration_s"
    return f"{message} Is it a list of the same music? More columns match more: path, or title, artist and duration_s"


def _has(tracks: pa.Table, name: str) -> bool:
    return tracks[name].null_count < tracks.num_rows
