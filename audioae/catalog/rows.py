"""Rows of a scanned catalog, from a block of the listing and what is known of its files. See `catalog.scan`."""

import hashlib
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.catalog.claims import (
    clean_album,
    clean_artist,
    clean_title,
    parse_isrc,
    parse_musicbrainz_id,
    parse_year,
    split_labels,
)
from audioae.catalog.database import Database, decoded
from audioae.catalog.listing import LISTING
from audioae.catalog.paths import bytes_of, displayed
from audioae.catalog.sources import CatalogConfig
from audioae.catalog.texts import TEXTS, first_texts, map_lists, map_values, single
from audioae.errors import ConfigError

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
        ("artists", TEXTS),
        ("genres", TEXTS),
        ("isrc", pa.string()),
        ("musicbrainz_id", pa.string()),
    ]
)

_AMONG = "(SELECT nfc FROM listing WHERE nfc IS NOT NULL)"
_SAME_NAMES = f"""
    SELECT nfc FROM listing WHERE nfc IS NOT NULL GROUP BY nfc HAVING count(*) > 1
    UNION SELECT relative FROM listing WHERE nfc IS NULL AND relative IN {_AMONG}
"""


class Rows:
    """Makes rows of `SCANNED`.

    Parameters
    ----------
    db : Database
        With the table `listing`.
    config : CatalogConfig
    own_ids : bool
        Whether the source gives the track IDs.
    """

    def __init__(self, db: Database, config: CatalogConfig, own_ids: bool):
        self._config, self._own_ids = config, own_ids
        self._ambiguous = {name for (name,) in db.rows(_SAME_NAMES)}
        self._source_ns = time.time_ns() if config.is_remote else os.stat(os.path.expanduser(config.source)).st_mtime_ns

    def of(self, block: pa.Table, files: pa.Table, labels: dict[str, None]) -> pa.Table:
        """The rows of a block of the listing.

        Parameters
        ----------
        block : pa.Table
            With columns of `listing.LISTING`.
        files : pa.Table
            Rows of `files.READ`.
        labels : dict of str to None
            The labels of these rows are added to it.
        """
        n = len(block)
        get = {field.name: pa.nulls(n, field.type) for field in LISTING}
        get |= {name: block[name].combine_chunks() for name in block.column_names}
        file = {name: files[name].combine_chunks() for name in files.column_names}
        claims = self._manifest_claims(get) if self._config.is_manifest else self._tags(get, file)
        uris, path_bytes = _uris(get["path"])
        genres = claims["genres"]
        labels.update(dict.fromkeys(pc.list_flatten(genres).unique().to_pylist()))
        columns = {
            **{name: file[name] for name in ("duration_s", "content_hash", "size_bytes", "modified_ns", "audio_hash")},
            **claims,
            "track_id": get["track_id"] if self._own_ids else self._track_ids(get),
            "own_id": pa.array(np.full(n, self._own_ids)),
            "uri": uris,
            "path_bytes": path_bytes,
            "title": _or_stems(claims["title"], uris),
            "artist": first_texts(claims["artists"]),
            "label": first_texts(genres),
            "added_at": self._added_at(get["added_at"], file["modified_ns"]),
        }
        return pa.table([columns[field.name].cast(field.type) for field in SCANNED], schema=SCANNED)

    def _manifest_claims(self, block: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        separators = self._config.label_separators
        return {
            "title": map_values(block["title"], clean_title, pa.string()),
            "artists": map_lists(block["artist"], lambda text: filter(None, [clean_artist(text)]), once=False),
            "album": map_values(block["album"], clean_album, pa.string()),
            "genres": map_lists(block["label"], lambda text: split_labels([text], separators)),
            "split": block["split"],
            "year": map_values(block["year"], parse_year, pa.int32()),
            "isrc": map_values(block["isrc"], parse_isrc, pa.string()),
            "musicbrainz_id": map_values(block["musicbrainz_id"], parse_musicbrainz_id, pa.string()),
        }

    def _tags(self, block: Mapping[str, pa.Array], file: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        genres = file["genres"]
        if self._config.label_from == "folder":
            folders = [os.path.basename(os.path.dirname(decoded(name))) for name in block["relative"].to_pylist()]
            genres = single(pa.array([name.encode("utf-8", "replace").decode() for name in folders], pa.string()))
        separators = self._config.label_separators
        return {
            **{name: file[name] for name in ("title", "artists", "album", "year", "isrc", "musicbrainz_id")},
            "genres": map_lists(genres, lambda text: split_labels([text], separators)),
            "split": pa.nulls(len(genres), pa.string()),
        }

    def _track_ids(self, block: Mapping[str, pa.Array]) -> pa.Array:
        names = zip(block["relative"].to_pylist(), block["nfc"].to_pylist(), strict=True)
        chosen = [relative if nfc is None or nfc in self._ambiguous else nfc for relative, nfc in names]
        ids = [hashlib.blake2b(os.fsencode(decoded(name)), digest_size=8).hexdigest() for name in chosen]
        return pa.array(ids, pa.string())

    def _added_at(self, claims: pa.Array, modified_ns: pa.Array) -> pa.Array:
        kind = pa.timestamp("us", "UTC")
        ns = pc.fill_null(modified_ns, self._source_ns).to_numpy()
        modified = pa.array(ns // 1000).cast(kind)
        return pc.coalesce(map_values(claims, self._parse_time, kind), modified)

    def _parse_time(self, text: str) -> datetime:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise ConfigError(
                f"catalog.columns.added_at: {self._config.source}: got {text!r}, wanted 2026-01-31 or "
                "2026-01-31T12:00:00Z"
            ) from None
        return time if time.tzinfo else time.replace(tzinfo=UTC)


def respelled(tracks: pa.Table, spellings: Mapping[str, str]) -> pa.Table:
    """Rows with `genres` and `label` in the spellings that are to be shown (`claims.spellings`)."""
    genres = tracks["genres"].combine_chunks()
    if not spellings or not any(label in spellings for label in pc.list_flatten(genres).unique().to_pylist()):
        return tracks
    genres = map_lists(genres, lambda label: [spellings.get(label, label)])
    for name, values in (("genres", genres), ("label", first_texts(genres))):
        tracks = tracks.set_column(tracks.schema.get_field_index(name), tracks.schema.field(name), values)
    return tracks


def _uris(paths: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The displayed form of paths, and the bytes of those that are another."""
    try:
        return paths.cast(pa.string()), pa.nulls(len(paths), pa.binary())
    except pa.ArrowInvalid:
        texts = [decoded(path) for path in paths.to_pylist()]
        return pa.array(map(displayed, texts), pa.string()), pa.array(map(bytes_of, texts), pa.binary())


def _or_stems(titles: pa.Array, uris: pa.Array) -> pa.Array:
    """Titles; where there is none, the names of the files without their suffix."""
    if not titles.null_count:
        return titles
    rows: Any = zip(titles.to_pylist(), uris.to_pylist(), strict=True)
    return pa.array([title or os.path.splitext(os.path.basename(uri))[0] for title, uri in rows], pa.string())
