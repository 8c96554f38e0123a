"""Read a manifest as a listing of tracks.

Conventions: `sources.CatalogConfig` maps the manifest's columns to ours; a listing is described in `catalog.sources`.
Rows are counted from 1, without the header.
"""

import difflib
import logging
import os
from collections.abc import Iterable, Sequence

from audioae.catalog.claims import clean_album, clean_artist, clean_title
from audioae.catalog.manifest_files import Cell, Columns, read_columns
from audioae.catalog.paths import printable
from audioae.catalog.sources import CLAIMS, CatalogConfig, Listing, require_source
from audioae.errors import ConfigError

_LISTED = {"artist": "artists", "label": "genres"}  # claims that may be several

_log = logging.getLogger(__name__)


def read_manifest(config: CatalogConfig) -> Listing:
    """Read the manifest `config.source`; skip repeated rows with a warning.

    Returns
    -------
    Listing
        With `artists` and `genres` (lists, empty where there is none) instead of `artist` and `label`.

    Raises
    ------
    ConfigError
        If the manifest does not exist, does not have the format of its suffix, lacks a column or has it twice, has a
        row without a path, or says different things of one path or one track ID.
    """
    manifest = require_source(config)
    columns = read_columns(manifest, config.header_rows)
    rows = _rows_where(columns, config, manifest)
    claims: Listing = {}
    for name in ("path", *CLAIMS):
        if name in config.columns or name in columns.cells:
            values = _column(columns, config.columns.get(name, name), f"columns.{name}", manifest)
            claims[name] = [values[row] if name in _LISTED else _one(values[row]) for row in rows]
    if "track_id" in claims:
        claims["track_id"] = [value and value.zfill(config.id_width) for value in claims["track_id"]]
    if config.path_template:
        claims["path"] = [_fill(config.path_template, claims, i, manifest) for i in range(len(rows))]
    elif "path" not in claims:
        _column(columns, "path", "columns.path", manifest)
    root = os.path.abspath(os.path.expanduser(config.root)) if config.root else os.path.dirname(manifest)
    listing = _without_repeats({**claims, "path": _absolute(claims["path"], root, config)}, rows, manifest)
    below = os.path.join(root, "")
    listing["relative"] = [path.removeprefix(below).replace(os.sep, "/") for path in listing["path"]]
    if "track_id" in listing:
        _check_ids(listing, manifest)
    return _cleaned(listing)


def _column(columns: Columns, name: str, key: str, manifest: str) -> list[Cell]:
    if places := columns.doubled.get(name):
        numbers = " and ".join(map(str, places))
        raise ConfigError(f"catalog.{key}: {manifest}: the columns {numbers} are both called {name!r}; rename one")
    if name not in columns.cells:
        close = difflib.get_close_matches(name, columns.cells, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        names = ", ".join(map(repr, list(columns.cells)[:40]))
        raise ConfigError(f"catalog.{key}: {manifest} has no column {name!r}.{hint} Its columns: {names}")
    return columns.cells[name]


def _rows_where(columns: Columns, config: CatalogConfig, manifest: str) -> list[int]:
    n_rows = len(next(iter(columns.cells.values())))
    rows: Iterable[int] = range(n_rows)
    for name, wanted in config.where.items():
        values = _column(columns, name, "where", manifest)
        allowed = {wanted} if isinstance(wanted, str) else set(wanted)
        rows = [row for row in rows if not allowed.isdisjoint(_all(values[row]))]
        if not rows:
            some = ", ".join(sorted({repr(value) for value in values})[:10])
            raise ConfigError(
                f"catalog.where.{name}: got {wanted!r}, which no row of {manifest} has; values are {some}"
            )
    return list(rows)


def _all(cell: Cell) -> list[str]:
    """The texts of a cell."""
    return cell if isinstance(cell, list) else [] if cell is None else [cell]


def _one(cell: Cell) -> str | None:
    """The first text of a cell."""
    return next(iter(_all(cell)), None)


def _fill(template: str, claims: Listing, i: int, manifest: str) -> str:
    row = {name: text for name, values in claims.items() if (text := _one(values[i])) is not None}
    try:
        return template.format(**row)
    except KeyError as error:
        raise ConfigError(
            f"catalog.path_template: {manifest}: no {error} in the row {row}; set catalog.columns.{error.args[0]}"
        ) from None


def _absolute(paths: Sequence[str | None], root: str, config: CatalogConfig) -> list[str]:
    if empty := [i + 1 for i, path in enumerate(paths) if not path]:
        raise ConfigError(
            f"catalog.source: {config.source}: {len(empty)} rows without a path, the first is row {empty[0]}"
        )
    below = os.path.join(root, "")
    outside = [
        path
        for path in paths
        if path and not os.path.isabs(path) and not os.path.normpath(below + path).startswith(below)
    ]
    if outside and not config.follow_outside:
        raise ConfigError(
            f"catalog.source: {config.source}: {len(outside)} paths lead out of {root}, such as {outside[0]}; "
            "set catalog.root to a folder that holds them all, or catalog.follow_outside=true"
        )
    return [os.path.normpath(os.path.join(root, path)) for path in paths if path]


def _without_repeats(listing: Listing, rows: Sequence[int], manifest: str) -> Listing:
    """The first row of each path. Raises `ConfigError` if another row of the path says something else."""
    first: dict[str, int] = {}
    repeats = [i for i, path in enumerate(listing["path"]) if first.setdefault(path, i) != i]
    for i in repeats:
        kept = first[listing["path"][i]]
        for name, values in listing.items():
            if values[i] != values[kept]:
                raise ConfigError(
                    f"catalog.source: {manifest}: two rows of {listing['path'][i]} differ: {name} is {values[kept]!r} "
                    f"in row {rows[kept] + 1} and {values[i]!r} in row {rows[i] + 1}; keep one of them "
                    "(several labels go into one cell, with catalog.label_separators)"
                )
    if repeats:
        some = listing["path"][repeats[0]]
        _log.warning("%s: skipped %d rows that repeat a path, such as %s", manifest, len(repeats), printable(some))
    return {name: [values[i] for i in first.values()] for name, values in listing.items()}


def _check_ids(listing: Listing, manifest: str) -> None:
    path_of: dict[str, str] = {}
    for track_id, path in zip(listing["track_id"], listing["path"], strict=True):
        if not track_id:
            raise ConfigError(f"catalog.source: {manifest}: no track_id for {path}; add it, or remove the column")
        other = path_of.setdefault(track_id, path)
        if other != path:
            raise ConfigError(f"catalog.source: {manifest}: duplicate track_id {track_id!r}: {other} and {path}")


def _cleaned(listing: Listing) -> Listing:
    """Without claims that say nothing; several artists or labels as lists."""
    for name, plural in _LISTED.items():
        listing[plural] = [_all(cell) for cell in listing.pop(name, [None] * len(listing["path"]))]
    listing["artists"] = [[name for text in texts if (name := clean_artist(text))] for texts in listing["artists"]]
    for name, clean in {"title": clean_title, "album": clean_album}.items():
        if name in listing:
            listing[name] = [clean(text) for text in listing[name]]
    return listing
