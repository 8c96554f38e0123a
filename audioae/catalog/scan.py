"""Scan a source (a folder or a manifest) into one row per track, in blocks.

Conventions
-----------
- `track_id` is the manifest's, or 16 hex digits of the BLAKE2b hash of the path below the root (with "/", NFC), so that
  it does not change when the root is renamed or moved. Names that differ only in normalization are hashed as bytes.
- `content_hash` is the BLAKE2b-128 hash of the file, or the manifest's. An unreadable file has none; it is listed all
  the same, so that the decoder can report its fault.
- A claim that says nothing is null (see `catalog.claims`). A title is never null: by default it is the file's stem.
- `artist` and `label` are the first of `artists` and `genres`. Labels are spelled as they come; `rows.respelled` gives
  all spellings of a label the one that is to be shown.
- `added_at` is the manifest's column, or the time when the file was modified.
- A file whose size and time of modification are as in an earlier scan is not read again, or only its tags (`retag`).
  What cannot be read now is as it was in the earlier scan.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from audioae.catalog.database import Database, decoded
from audioae.catalog.files import CHUNK, READ, File, as_files, as_table, read_files
from audioae.catalog.listing import Listed
from audioae.catalog.paths import printable
from audioae.catalog.rows import SCANNED, Rows
from audioae.catalog.sources import FILE_CLAIMS, CatalogConfig
from audioae.errors import ConfigError
from audioae.progress import Advance

__all__ = ["SCANNED", "CatalogConfig", "Scan", "scan_listing"]

_KNOWN = READ.names[1:]
_SOME = 3  # paths in a message

_log = logging.getLogger(__name__)


@dataclass
class Scan:
    """What is known of a scan as a whole; complete after its last block.

    Attributes
    ----------
    n_open : int
        Files that another scan may read although they have not changed.
    labels : dict of str to None
        The labels as they are spelled, in order.
    n_missing, n_kept : int
        Files without a hash, and known files that are as they were because they cannot be read now.
    missing, kept : list of str, str
        Some of these, for people.
    """

    n_open: int = 0
    labels: dict[str, None] = field(default_factory=dict)
    n_missing: int = 0
    missing: list[str] = field(default_factory=list)
    n_kept: int = 0
    kept: str = ""


def scan_listing(
    db: Database,
    config: CatalogConfig,
    listed: Listed,
    scan: Scan,
    *,
    reread: bool = False,
    retag: bool = False,
    save: Callable[[pa.Table], None] | None = None,
    on_progress: Advance | None = None,
) -> Iterator[pa.Table]:
    """Yield the tracks of the table `listing`, sorted by their path below the root.

    Parameters
    ----------
    db : Database
        With the tables `listing`, `known` (the catalog so far) and `reads` (files that a scan read which did not end).
        `known` needs the columns of `READ` and `row`, `reads` those of `READ`.
    config : CatalogConfig
    listed : Listed
    scan : Scan
        Filled while blocks are yielded.
    reread : bool
        Whether known files that have not changed are read again: other settings may read something else.
    retag : bool
        Whether the tags of known files that have not changed are read again, but not the rest: the catalog so far may
        be of a version that did not have all columns.
    save : callable, optional
        Called with the files that were read (rows of `READ`), at most `CHUNK` at once.
    on_progress : Advance, optional
        Called with the number of files done and of all files.

    Yields
    ------
    tracks : pa.Table
        With the schema `SCANNED`. `track_id`, `uri`, `title` and `added_at` are never null.

    Raises
    ------
    ConfigError
        At the end, if no file can be read; at a block, if a claim is not what it should be.
    """
    _join(db, listed, reread, retag)
    done = listed.n_files - (0 if listed.has_all_hashes else db.value("SELECT count(*) FROM joined WHERE is_unread"))
    rows = Rows(db, config, listed.own_ids)
    if on_progress:
        on_progress(done, listed.n_files)
    for block in db.stream("SELECT * FROM joined ORDER BY relative"):
        reader = _Reader(config, block, scan, save)
        for n_read in reader.read():
            done += n_read
            if on_progress:
                on_progress(done, listed.n_files)
        files = reader.files()
        _note(scan, files, block)
        yield rows.of(block, files, scan.labels)
    _report(scan, config, listed)


def _join(db: Database, listed: Listed, reread: bool, retag: bool) -> None:
    """Make the view `joined`: the listing with what is known of its files, and whether they are to be read."""
    rows = "LIMIT 0" if listed.has_all_hashes else ""
    fresh = "r.path IS NOT NULL"
    known = ", ".join(f"CASE WHEN {fresh} THEN r.{name} ELSE k.{name} END AS known_{name}" for name in _KNOWN)
    same = f"{fresh} OR (k.size_bytes = l.size_bytes AND k.modified_ns = l.modified_ns AND NOT {reread})"
    db.run(
        f"""
        CREATE OR REPLACE VIEW joined AS
        SELECT *, is_known AND coalesce(is_same, false) AND is_there AS is_unchanged,
            is_there AND (NOT (is_known AND coalesce(is_same, false)) OR ({retag} AND NOT is_fresh)) AS is_unread
        FROM (
            SELECT l.*, {known}, {fresh} AS is_fresh, {fresh} OR k.path IS NOT NULL AS is_known, {same} AS is_same,
                l.size_bytes IS NOT NULL AND l.content_hash IS NULL AS is_there
            FROM listing l
            LEFT JOIN (SELECT * FROM known WHERE content_hash IS NOT NULL {rows}) k ON k.path = l.path
            LEFT JOIN (SELECT * FROM reads {rows}) r
                ON r.path = l.path AND r.size_bytes = l.size_bytes AND r.modified_ns = l.modified_ns
        )
        """
    )


class _Reader:
    """Reads the files of a block that are to be read, and puts together what is known of all of them."""

    def __init__(self, config: CatalogConfig, block: pa.Table, scan: Scan, save: Callable[[pa.Table], None] | None):
        self._config, self._scan, self._save = config, scan, save
        known = [pa.nulls(len(block), pa.binary()), *(block[f"known_{name}"] for name in _KNOWN)]
        self._known = pa.table(known, names=READ.names).cast(READ)
        plain = {name: block[name] for name in ("path", *FILE_CLAIMS) if name in block.column_names}
        self._plain = pa.table([plain.get(f.name, pa.nulls(len(block), f.type)) for f in READ], schema=READ)
        self._paths = block["path"]
        self._is_known, self._is_unchanged, self._unread = (
            block[name].to_numpy().astype(bool) for name in ("is_known", "is_unchanged", "is_unread")
        )
        self._problems = block["problem"]
        self._read = READ.empty_table()

    def read(self) -> Iterator[int]:
        """Read the files in chunks, and yield the number of each."""
        self._kept = self._is_known & self._problems.is_valid().to_numpy()
        if self._kept.any():
            self._note_kept(int(np.flatnonzero(self._kept)[0]), int(self._kept.sum()), None)
        rows = np.flatnonzero(self._unread)
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            files = self._read_chunk(chunk)
            self._read = pa.concat_tables([self._read, files])
            yield len(chunk)

    def files(self) -> pa.Table:
        """What is known of each file, as rows of `READ`."""
        n = len(self._paths)
        at = np.arange(n) + np.where(self._is_unchanged | self._kept, 0, n)
        read = np.flatnonzero(self._unread)
        at[read] = np.where(self._kept[read], read, 2 * n + np.arange(len(read)))
        return pa.concat_tables([self._known, self._plain, self._read]).take(pa.array(at)).combine_chunks()

    def _read_chunk(self, rows: np.ndarray) -> pa.Table:
        paths = [decoded(path) for path in self._paths.take(pa.array(rows)).to_pylist()]
        known = self._is_unchanged[rows]  # of these only the tags are read
        at = pa.array(np.where(known, rows, rows + len(self._paths)))
        before = as_files(pa.concat_tables([self._known, self._plain]).take(at))
        files = read_files(self._config, paths, before)
        for row, file in zip(rows.tolist(), files, strict=True):
            if file.problem and self._is_known[row]:
                self._kept[row] = True
                self._note_kept(row, 1, file)
        table = as_table(paths, files)
        if self._save:
            self._save(table.filter(table["content_hash"].is_valid()))
        return table

    def _note_kept(self, row: int, n: int, file: File | None) -> None:
        reason = file.problem if file else self._problems[row].as_py()
        self._scan.n_kept += n
        self._scan.kept = self._scan.kept or f"{printable(decoded(self._paths[row].as_py()))} ({reason})"


def _note(scan: Scan, files: pa.Table, block: pa.Table) -> None:
    missing = files["content_hash"].is_null().to_numpy().astype(bool)
    retried = missing | files["modified_ns"].is_null().to_numpy().astype(bool)
    is_there, failed = block["is_there"].to_numpy().astype(bool), block["problem"].is_valid().to_numpy().astype(bool)
    scan.n_open += int(((retried & is_there) | failed).sum())
    scan.n_missing += int(missing.sum())
    paths = block["path"].take(pa.array(np.flatnonzero(missing)[: _SOME - len(scan.missing)]))
    scan.missing += [printable(decoded(path)) for path in paths.to_pylist()]


def _report(scan: Scan, config: CatalogConfig, listed: Listed) -> None:
    if scan.n_kept:
        _log.warning(
            "%d known files cannot be read now, such as %s; they are kept as they were", scan.n_kept, scan.kept
        )
    if scan.n_missing == listed.n_files:
        raise ConfigError(
            f"catalog.source: {config.source}: none of its {listed.n_files} files can be read, for example "
            f"{', '.join(scan.missing)}; set catalog.root to the folder that the paths are relative to"
        )
    if scan.n_missing:
        _log.warning(
            "%s: %d of %d files cannot be read, for example %s",
            *(config.source, scan.n_missing, listed.n_files, ", ".join(scan.missing)),
        )
    for note in listed.found.notes():
        _log.info("%s: %s", config.source, note)
