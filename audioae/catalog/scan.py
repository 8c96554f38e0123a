"""Scan a source (a folder or a manifest) into one row per track.

Conventions
-----------
- `track_id` is the manifest's, or 16 hex digits of the BLAKE2b hash of the path below the root (with "/", NFC), so that
  it does not change when the root is renamed or moved. Names that differ only in normalization are hashed as bytes.
- `content_hash` is the BLAKE2b-128 hash of the file. An unreadable file has none; it is listed all the same, so that
  the decoder can report its fault.
- A claim that says nothing is null (see `catalog.claims`). A title is never null: by default it is the file's stem.
- `artist` and `label` are the first of `artists` and `genres`. Spellings of one label are shown as in the earlier scan,
  or else as they are spelled first.
- `added_at` is the manifest's column, or the time when the file was modified.
- A file whose size and modification time are the same as in an earlier scan is not read again.
"""

import contextlib
import hashlib
import logging
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.catalog.claims import one_spelling, parse_year, split_labels
from audioae.catalog.manifest import read_manifest
from audioae.catalog.sources import CatalogConfig, Listing, list_folder
from audioae.catalog.tag_workers import Reading, read_all_tags
from audioae.catalog.tags import Tags
from audioae.errors import ConfigError
from audioae.progress import Advance

__all__ = ["SCANNED", "CatalogConfig", "scan"]

SCANNED = pa.schema(
    [
        ("track_id", pa.string()),
        ("own_id", pa.bool_()),  # whether the source gave the track_id
        ("uri", pa.string()),
        ("title", pa.string()),
        ("artist", pa.string()),
        ("album", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("year", pa.int32()),
        ("duration_s", pa.float64()),
        ("content_hash", pa.string()),
        ("size_bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("added_at", pa.timestamp("us", "UTC")),
        ("audio_hash", pa.string()),
        ("path_bytes", pa.binary()),
        ("artists", pa.list_(pa.field("element", pa.string(), nullable=False))),
        ("genres", pa.list_(pa.field("element", pa.string(), nullable=False))),
    ]
)

_THREADS = 8
_BATCH = 64
_READ_BYTES = 1 << 20

_log = logging.getLogger(__name__)


class _File(NamedTuple):
    """What a scan knows of a file. The first two are None if it does not exist, the third if it cannot be read."""

    size_bytes: int | None = None
    modified_ns: int | None = None
    content_hash: str | None = None
    tags: Tags = Tags()

    def with_tags(self, reading: Reading) -> "_File":
        """Tags that another try may read leave no time of modification, so that the next scan reads the file again."""
        return self._replace(tags=reading.tags, modified_ns=None if reading.may_pass else self.modified_ns)


def scan(config: CatalogConfig, known: pa.Table | None = None, on_progress: Advance | None = None) -> pa.Table:
    """List the tracks of a source, sorted by their path below the root.

    Parameters
    ----------
    config : CatalogConfig
    known : pa.Table, optional
        An earlier scan with the same config, with at least the columns of `SCANNED`.
    on_progress : Advance, optional
        Called with the number of files done and of all files.

    Returns
    -------
    tracks : pa.Table
        With the schema `SCANNED`. `track_id`, `uri`, `title` and `added_at` are never null.

    Raises
    ------
    ConfigError
        If the source does not exist, contains no audio, or does not fit the config.
    """
    listing = read_manifest(config) if config.is_manifest else list_folder(config)
    order = sorted(range(len(listing["path"])), key=listing["relative"].__getitem__)
    listing = {name: [values[i] for i in order] for name, values in listing.items()}
    files = _read_files(config, listing["path"], known, on_progress)
    _report_missing(config, listing["path"], files)
    claims = listing if config.is_manifest else _tagged(config, listing["relative"], files)
    nothing = [None] * len(files)
    uris = [_displayed(path) for path in listing["path"]]
    artists = [names or None for names in claims.get("artists", nothing)]
    genres = _genres(config, claims.get("genres", nothing), known)
    stems = [os.path.splitext(os.path.basename(uri))[0] for uri in uris]
    columns = {
        "track_id": listing.get("track_id") or _track_ids(listing["relative"]),
        "own_id": [bool(listing.get("track_id"))] * len(files),
        "uri": uris,
        "title": [title or stem for title, stem in zip(claims.get("title", nothing), stems, strict=True)],
        "artist": [names[0] if names else None for names in artists],
        "album": claims.get("album", nothing),
        "label": [labels[0] if labels else None for labels in genres],
        "split": claims.get("split", nothing),
        "year": [parse_year(year) for year in claims.get("year", nothing)],
        "duration_s": [file.tags.duration_s for file in files],
        "content_hash": [file.content_hash for file in files],
        "size_bytes": [file.size_bytes for file in files],
        "modified_ns": [file.modified_ns for file in files],
        "added_at": _added_at(config, claims.get("added_at", nothing), files),
        "audio_hash": nothing,
        "path_bytes": nothing,
        "artists": artists,
        "genres": genres,
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in SCANNED], schema=SCANNED)


def _tagged(config: CatalogConfig, relative: list[str], files: list[_File]) -> Listing:
    claims: Listing = {name: [getattr(file.tags, name) for file in files] for name in Tags._fields}
    if config.label_from == "folder":
        claims["genres"] = [[os.path.basename(os.path.dirname(name))] for name in relative]
    return claims


def _genres(config: CatalogConfig, claims: list[list[str] | None], known: pa.Table | None) -> list[list[str] | None]:
    earlier = [] if known is None else pc.list_flatten(known["genres"]).unique().to_pylist()
    rows = [split_labels(labels or (), config.label_separators) for labels in claims]
    return [labels or None for labels in one_spelling(rows, earlier)]


def _read_files(
    config: CatalogConfig, paths: list[str], known: pa.Table | None, on_progress: Advance | None
) -> list[_File]:
    earlier = _earlier(known)
    files = [_stat(path) for path in paths]
    unread = []
    for i, (path, file) in enumerate(zip(paths, files, strict=True)):
        before = earlier.get(_displayed(path))
        if before and before[:2] == file[:2]:
            files[i] = before
        elif file.size_bytes is not None:
            unread.append(i)
    done = len(paths) - len(unread)
    batches = [unread[i : i + _BATCH] for i in range(0, len(unread), _BATCH)]

    def readable(hashed: Iterable[list[_File]]) -> Iterator[list[str]]:
        for batch, read in zip(batches, hashed, strict=True):
            for i, file in zip(batch, read, strict=True):
                files[i] = file
            yield [paths[i] for i in batch if files[i].content_hash]

    with ThreadPoolExecutor(_THREADS, "audioae-scan") as pool:
        results = pool.map(lambda batch: [_read(paths[i], files[i]) for i in batch], batches)
        with contextlib.closing(results):  # type: ignore[type-var] - a generator; closing it cancels queued batches
            tags = read_all_tags(readable(results), config.tag_limits, config.tag_encoding)
            for batch, readings in zip(batches, tags, strict=True):
                read = [i for i in batch if files[i].content_hash]
                for i, reading in zip(read, readings, strict=True):
                    files[i] = files[i].with_tags(reading)
                done += len(batch)
                if on_progress:
                    on_progress(done, len(paths))
    if on_progress and not batches:
        on_progress(done, len(paths))
    return files


def _earlier(known: pa.Table | None) -> dict[str, _File]:
    if known is None:
        return {}
    rows = known.select(["uri", "size_bytes", "modified_ns", "content_hash", *Tags._fields]).to_pydict()
    return {
        uri: _File(size_bytes, modified_ns, content_hash, Tags(*tags))
        for uri, size_bytes, modified_ns, content_hash, *tags in zip(*rows.values(), strict=True)
        if content_hash is not None
    }


def _stat(path: str) -> _File:
    try:
        status = os.stat(path)
    except OSError:
        return _File()
    return _File(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else _File()


def _read(path: str, file: _File) -> _File:
    content = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as opened:
            while block := opened.read(_READ_BYTES):
                content.update(block)
    except OSError:
        return file
    return file._replace(content_hash=content.hexdigest())


def _report_missing(config: CatalogConfig, paths: list[str], files: list[_File]) -> None:
    missing = [path for path, file in zip(paths, files, strict=True) if file.content_hash is None]
    if not missing:
        return
    some = ", ".join(map(_displayed, missing[:3]))
    if len(missing) == len(paths):
        raise ConfigError(
            f"catalog.source: {config.source}: none of its {len(paths)} files can be read, for example {some}; "
            "set catalog.root to the folder that the paths are relative to"
        )
    _log.warning("%s: %d of %d files cannot be read, for example %s", config.source, len(missing), len(paths), some)


def _track_ids(relative: list[str]) -> list[str]:
    normal = [unicodedata.normalize("NFC", name) for name in relative]
    times = Counter(normal)
    names = [name if times[nfc] > 1 else nfc for name, nfc in zip(relative, normal, strict=True)]
    return [hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest() for name in names]


def _displayed(path: str) -> str:
    r"""A path as valid Unicode. Invalid bytes are written like \xe9, and the decoder will not find such a file."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _added_at(config: CatalogConfig, claims: list[str | None], files: list[_File]) -> list[datetime]:
    source_ns = os.stat(os.path.expanduser(config.source)).st_mtime_ns
    return [
        _parse_time(claim, config) if claim else _time(file.modified_ns or source_ns)
        for claim, file in zip(claims, files, strict=True)
    ]


def _time(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // 1000 / 1e6, UTC)


def _parse_time(text: str, config: CatalogConfig) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"catalog.columns.added_at: {config.source}: got {text!r}, wanted 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
