"""List a source into the table `listing` of a temporary database: one row per path, with size and time of modification.

Conventions
-----------
- Columns: those of `manifest.LISTED`, without claims that the source does not make, `nfc` (the path below the root in
  Unicode's form NFC where it is in another one, else null) and `problem` (why a file cannot be looked at now).
- A file whose `content_hash` the manifest gives is not looked at: its size and time are the manifest's, or null.
- A manifest may repeat a path if the rows say the same: the first counts.
"""

import hashlib
import logging
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa

from audioae.catalog.database import Database, decoded, encoded
from audioae.catalog.file_kinds import is_absent
from audioae.catalog.files import CHUNK, stat_files
from audioae.catalog.folder import Found, list_folder
from audioae.catalog.manifest import LISTED, SEVERAL, open_manifest
from audioae.catalog.paths import printable
from audioae.catalog.remote import list_remote
from audioae.catalog.sources import CatalogConfig, require_source
from audioae.errors import ConfigError

LISTING = pa.schema([*LISTED, ("nfc", pa.binary()), ("problem", pa.string())])
_ALWAYS = {"row", "path", "relative", "nfc", "content_hash", "size_bytes", "modified_ns", "problem"}

_log = logging.getLogger(__name__)


@dataclass
class Listed:
    """What is known of the listing as a whole.

    Attributes
    ----------
    own_ids : bool
        Whether the source gives the track IDs.
    digest : str
        Changes whenever a row does. Of a manifest that gives all hashes it is that of its bytes.
    n_files : int
    has_all_hashes : bool
        Whether a manifest gives the hashes of all files.
    found : Found
        What else was in a folder.
    """

    own_ids: bool
    digest: str = ""
    n_files: int = 0
    has_all_hashes: bool = False
    found: Found = field(default_factory=Found)


def list_source(db: Database, config: CatalogConfig) -> Listed:
    """Make the table `listing`. What is below a folder that cannot be read is to be added by `keep_unreadable`.

    Raises
    ------
    ConfigError
        If the source does not exist, or does not fit the config.
    """
    require_source(config)
    found = Found()
    given, blocks = open_manifest(config) if config.is_manifest else (set(), _folder_blocks(config, found))
    is_told = config.is_remote
    listed = Listed("track_id" in given, found=found)
    columns = [name for name in LISTING.names if name in _ALWAYS | given]
    db.create("listing", pa.schema([LISTING.field(name) for name in columns]))
    for block in blocks:
        db.insert("listing", _looked_at(block, is_told=is_told).select(columns))
    if config.is_manifest:
        _drop_repeats(db, config, [name for name in LISTED.names if name in given - {"path"}])
    if listed.own_ids:
        _check_ids(db, config)
    return _counted(db, config, listed)


def iter_paths(config: CatalogConfig) -> Iterator[list[str]]:
    """The paths of a source in blocks, in no order; none of the files is looked at.

    Raises
    ------
    ConfigError
        If the source does not exist, has no audio, or does not fit the config.
    """
    found, n_files = Found(), 0
    for block in open_manifest(config)[1] if config.is_manifest else _folder_blocks(config, found):
        n_files += len(block)
        yield [decoded(path) for path in block["path"].to_pylist()]
    _require_audio(config, found, n_files)


def keep_unreadable(db: Database, config: CatalogConfig, listed: Listed) -> None:
    """Add to `listing` the paths of `known` below what cannot be read, unless they are certainly absent.

    Raises
    ------
    ConfigError
        If the source has no audio at all.
    """
    if listed.found.unreadable:
        n_kept = 0
        for block in db.stream("SELECT path FROM known ANTI JOIN listing USING (path) ORDER BY row"):
            paths = [decoded(path) for path in block["path"].to_pylist()]
            kept = [path for path in paths if listed.found.is_below_unreadable(path) and not is_absent(path)]
            n_kept += len(kept)
            db.insert("listing", _looked_at(_block(kept, require_source(config))).select(sorted(_ALWAYS)))
        unreadable = listed.found.unreadable
        some = ", ".join(f"{printable(path)} ({reason})" for path, reason in list(unreadable.items())[:3])
        _log.warning(
            "%d folders or files cannot be read, such as %s; %d known tracks below them are kept as they were",
            *(len(unreadable), some, n_kept),
        )
        listed.n_files += n_kept
    _require_audio(config, listed.found, listed.n_files)


def _require_audio(config: CatalogConfig, found: Found, n_files: int) -> None:
    if not n_files:
        raise ConfigError(
            f"catalog.source: no audio files in {require_source(config)}: found {found.other_suffixes()}; "
            f"expected {' '.join(config.suffixes)} (catalog.extensions). Is the disk mounted?"
        )


def _folder_blocks(config: CatalogConfig, found: Found) -> Iterator[pa.Table]:
    if config.is_remote:
        yield from _remote_blocks(config)
        return
    for paths in list_folder(config, found):
        yield _block(paths, require_source(config))


def _remote_blocks(config: CatalogConfig) -> Iterator[pa.Table]:
    files = list_remote(config)
    while block := list(islice(files, CHUNK)):
        columns = {
            "path": pa.array([encoded(file.uri) for file in block], pa.binary()),
            "relative": pa.array([encoded(file.relative) for file in block], pa.binary()),
            "size_bytes": pa.array([file.size_bytes for file in block], pa.int64()),
            "modified_ns": pa.array([file.modified_ns for file in block], pa.int64()),
        }
        yield pa.table([columns.get(f.name, pa.nulls(len(block), f.type)) for f in LISTED], schema=LISTED)


def _block(paths: list[str], root: str) -> pa.Table:
    """Paths of files in a folder as rows of `LISTED`."""
    below = len(os.path.join(root, ""))
    relative = [path[below:].replace(os.sep, "/") for path in paths]
    columns = {
        "path": pa.array(list(map(encoded, paths)), pa.binary()),
        "relative": pa.array(list(map(encoded, relative)), pa.binary()),
    }
    return pa.table([columns.get(f.name, pa.nulls(len(paths), f.type)) for f in LISTED], schema=LISTED)


def _looked_at(block: pa.Table, *, is_told: bool = False) -> pa.Table:
    """Add `nfc` and `problem`, and size and time of the files whose hash is not given, unless the listing told them."""
    problems = pa.nulls(len(block), pa.string())
    if block["content_hash"].null_count and not is_told:
        block, problems = _with_sizes(block)
    nfc = pa.array([_nfc(relative) for relative in block["relative"].to_pylist()], pa.binary())
    return pa.table([*block.columns, nfc, problems], schema=LISTING)


def _with_sizes(block: pa.Table) -> tuple[pa.Table, pa.Array]:
    unknown = block["content_hash"].is_null().to_pylist()
    given = zip(block["size_bytes"].to_pylist(), block["modified_ns"].to_pylist(), strict=True)
    paths = block["path"].to_pylist()
    files = iter(stat_files([decoded(path) for path, is_unknown in zip(paths, unknown, strict=True) if is_unknown]))
    rows = [
        (file.size_bytes, file.modified_ns, file.problem) if is_unknown and (file := next(files)) else (*sizes, None)
        for is_unknown, sizes in zip(unknown, given, strict=True)
    ]
    *columns, problems = zip(*rows, strict=True)
    for name, values in zip(("size_bytes", "modified_ns"), columns, strict=True):
        block = block.set_column(block.schema.get_field_index(name), name, pa.array(values, pa.int64()))
    return block, pa.array(problems, pa.string())


def _nfc(relative: bytes) -> bytes | None:
    if relative.isascii():
        return None
    text = decoded(relative)
    return None if unicodedata.is_normalized("NFC", text) else encoded(unicodedata.normalize("NFC", text))


def _counted(db: Database, config: CatalogConfig, listed: Listed) -> Listed:
    columns = [name for (name,) in db.rows("SELECT column_name FROM (DESCRIBE listing)") if name != "row"]
    row = f"hash({', '.join(columns)})"
    n, *sums = db.rows(f"SELECT count(*), sum({row}), bit_xor({row}) FROM listing")[0]
    n_unknown = db.value("SELECT count(*) FROM listing WHERE content_hash IS NULL")
    listed.n_files, listed.has_all_hashes = n, config.trusts_hashes and not n_unknown
    listed.digest = manifest_digest(config) if listed.has_all_hashes else repr(sums)
    return listed


def manifest_digest(config: CatalogConfig) -> str:
    """The digest of the bytes of a manifest."""
    with open(require_source(config), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _drop_repeats(db: Database, config: CatalogConfig, claims: list[str]) -> None:
    """Keep the first row of each path. Raises `ConfigError` if another row of the path says something else."""
    db.run("CREATE TABLE repeated AS SELECT path, min(row) AS first FROM listing GROUP BY path HAVING count(*) > 1")
    others = "listing JOIN repeated USING (path) WHERE row > first"
    n_repeated = db.value(f"SELECT count(*) FROM {others}")
    if not n_repeated:
        return
    differ = " OR ".join(f"a.{name} IS DISTINCT FROM b.{name}" for name in claims) or "false"
    both = ", ".join(f"a.{name}, b.{name}" for name in ("row", "path", *claims))
    pair = db.rows(
        f"SELECT {both} FROM repeated JOIN listing a ON a.row = first JOIN listing b ON b.path = repeated.path "
        f"WHERE {differ} ORDER BY b.row LIMIT 1"
    )
    manifest = require_source(config)
    for first, other, *values in pair:
        claimed = zip(claims, values[2::2], values[3::2], strict=True)
        name, kept, got = next((name, a, b) for name, a, b in claimed if a != b)
        kept, got = (cell[0] if name in SEVERAL and cell and len(cell) == 1 else cell for cell in (kept, got))
        raise ConfigError(
            f"catalog.source: {manifest}: two rows of {decoded(values[0])} differ: {name} is {kept!r} in row {first} "
            f"and {got!r} in row {other}; keep one of them (several labels go into one cell, with "
            "catalog.label_separators)"
        )
    some = decoded(db.value(f"SELECT path FROM {others} ORDER BY row LIMIT 1"))
    _log.warning("%s: skipped %d rows that repeat a path, such as %s", manifest, n_repeated, printable(some))
    db.run("DELETE FROM listing USING repeated WHERE listing.path = repeated.path AND row > first")


def _check_ids(db: Database, config: CatalogConfig) -> None:
    manifest = require_source(config)
    for (path,) in db.rows("SELECT path FROM listing WHERE coalesce(track_id, '') = '' ORDER BY row LIMIT 1"):
        raise ConfigError(f"catalog.source: {manifest}: no track_id for {decoded(path)}; add it, or remove the column")
    twice = "SELECT track_id FROM listing GROUP BY track_id HAVING count(*) > 1"
    first = f"SELECT track_id FROM listing WHERE track_id IN ({twice}) ORDER BY row LIMIT 1"
    both = db.rows(f"SELECT track_id, path FROM listing WHERE track_id = ({first}) ORDER BY row LIMIT 2")
    if both:
        (track_id, one), (_, other) = both
        raise ConfigError(
            f"catalog.source: {manifest}: duplicate track_id {track_id!r}: {decoded(one)} and {decoded(other)}"
        )
