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
- Files are read by `catalog.files`, folders listed by `catalog.folder`; what cannot be read now is as it was in the
  earlier scan.
"""

import hashlib
import logging
import os
import unicodedata
from collections import Counter
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.catalog.claims import one_spelling, parse_isrc, parse_musicbrainz_id, parse_year, split_labels
from audioae.catalog.files import File, files_of, read_files
from audioae.catalog.folder import Found, list_folder
from audioae.catalog.manifest import read_manifest
from audioae.catalog.paths import bytes_of, displayed, printable
from audioae.catalog.sources import CatalogConfig, Listing
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
        ("isrc", pa.string()),
        ("musicbrainz_id", pa.string()),
    ]
)

_log = logging.getLogger(__name__)


def scan(
    config: CatalogConfig,
    known: pa.Table | None = None,
    on_progress: Advance | None = None,
    *,
    reread: bool = False,
    retag: bool = False,
) -> pa.Table:
    """List the tracks of a source, sorted by their path below the root.

    Parameters
    ----------
    config : CatalogConfig
    known : pa.Table, optional
        The catalog so far: rows of the dataset `tracks`.
    on_progress : Advance, optional
        Called with the number of files done and of all files.
    reread : bool
        Whether files that have not changed are read again: other settings may read something else.
    retag : bool
        Whether the tags of files that have not changed are read again, but not the rest: the catalog so far may be of
        a version that did not have all columns.

    Returns
    -------
    tracks : pa.Table
        With the schema `SCANNED`. `track_id`, `uri`, `title` and `added_at` are never null.

    Raises
    ------
    ConfigError
        If the source does not exist, contains no audio, or does not fit the config.
    """
    earlier = {} if known is None else files_of(known)
    found = Found(read_manifest(config)) if config.is_manifest else list_folder(config, earlier)
    listing = found.listing
    order = sorted(range(len(listing["path"])), key=listing["relative"].__getitem__)
    listing = {name: [values[i] for i in order] for name, values in listing.items()}
    files = read_files(config, listing["path"], earlier, reread=reread, retag=retag, on_progress=on_progress)
    _report_missing(config, listing["path"], files)
    claims = listing if config.is_manifest else _tagged(config, listing["relative"], files)
    nothing = [None] * len(files)
    uris = [displayed(path) for path in listing["path"]]
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
        "audio_hash": [file.audio_hash for file in files],
        "path_bytes": [bytes_of(path) for path in listing["path"]],
        "artists": artists,
        "genres": genres,
        "isrc": [parse_isrc(code) for code in claims.get("isrc", nothing)],
        "musicbrainz_id": [parse_musicbrainz_id(one) for one in claims.get("musicbrainz_id", nothing)],
    }
    for note in found.notes():
        _log.info("%s: %s", config.source, note)
    return pa.table([pa.array(columns[field.name], field.type) for field in SCANNED], schema=SCANNED)


def _tagged(config: CatalogConfig, relative: list[str], files: list[File]) -> Listing:
    claims: Listing = {name: [getattr(file.tags, name) for file in files] for name in Tags._fields}
    if config.label_from == "folder":
        claims["genres"] = [[os.path.basename(os.path.dirname(name))] for name in relative]
    return claims


def _genres(config: CatalogConfig, claims: list[list[str] | None], known: pa.Table | None) -> list[list[str] | None]:
    earlier = [] if known is None else pc.list_flatten(known["genres"]).unique().to_pylist()
    rows = [split_labels(labels or (), config.label_separators) for labels in claims]
    return [labels or None for labels in one_spelling(rows, earlier)]


def _report_missing(config: CatalogConfig, paths: list[str], files: list[File]) -> None:
    missing = [path for path, file in zip(paths, files, strict=True) if file.content_hash is None]
    if not missing:
        return
    some = ", ".join(map(printable, missing[:3]))
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


def _added_at(config: CatalogConfig, claims: list[str | None], files: list[File]) -> list[datetime]:
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
