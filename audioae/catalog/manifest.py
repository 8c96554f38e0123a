"""Read a manifest (CSV, TSV or Parquet) as a listing of tracks.

Conventions: `sources.CatalogConfig` maps the manifest's columns to ours; a listing is described in `catalog.sources`.
"""

import csv
import difflib
import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from audioae.catalog.claims import clean_artist, clean_text, clean_title
from audioae.catalog.sources import CLAIMS, CatalogConfig, Listing, require_source
from audioae.errors import ConfigError

_log = logging.getLogger(__name__)


def read_manifest(config: CatalogConfig) -> Listing:
    """Read the manifest `config.source`; skip repeated paths with a warning.

    Raises
    ------
    ConfigError
        If the manifest does not exist, does not have the format of its suffix, lacks a column, has a row without a
        path, or gives one track ID to two paths.
    """
    manifest = require_source(config)
    columns = (
        _read_parquet(manifest) if manifest.lower().endswith(".parquet") else _read_csv(manifest, config.header_rows)
    )
    rows = _rows_where(columns, config, manifest)
    claims = {}
    for name in ("path", *CLAIMS):
        if name in config.columns or name in columns:
            values = columns[_column(columns, config.columns.get(name, name), f"columns.{name}", manifest)]
            claims[name] = [values[row] for row in rows]
    if "track_id" in claims:
        claims["track_id"] = [value and value.zfill(config.id_width) for value in claims["track_id"]]
    if config.path_template:
        claims["path"] = [_fill(config.path_template, claims, i, manifest) for i in range(len(rows))]
    elif "path" not in claims:
        _column(columns, "path", "columns.path", manifest)
    root = os.path.abspath(os.path.expanduser(config.root)) if config.root else os.path.dirname(manifest)
    listing = _without_repeats({**claims, "path": _absolute(claims["path"], root, manifest)}, manifest)
    below = os.path.join(root, "")
    listing["relative"] = [path.removeprefix(below).replace(os.sep, "/") for path in listing["path"]]
    if "track_id" in listing:
        _check_ids(listing, manifest)
    nothing = [None] * len(listing["path"])
    listing["title"] = [clean_title(title) for title in listing.get("title", nothing)]
    listing["artists"] = [[name] if (name := clean_artist(text)) else [] for text in listing.pop("artist", nothing)]
    listing["genres"] = [[label] if label else [] for label in listing.pop("label", nothing)]
    return listing


def _read_csv(manifest: str, header_rows: int) -> Listing:
    delimiter = "\t" if manifest.lower().endswith(".tsv") else ","
    try:
        with open(manifest, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file, delimiter=delimiter) if any(row)]
    except UnicodeDecodeError as error:
        raise ConfigError(f"catalog.source: {manifest}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except csv.Error as error:
        raise ConfigError(f"catalog.source: {manifest}: not a CSV file: {error}") from None
    if len(rows) <= header_rows:
        raise ConfigError(f"catalog.source: {manifest}: no rows below the header ({header_rows} rows)")
    width = max(map(len, rows[:header_rows]))
    if wide := next((row for row in rows[header_rows:] if len(row) > width), None):
        raise ConfigError(
            f"catalog.source: {manifest}: {len(wide)} cells for {width} columns in the row {wide}; "
            "put quotes around cells that contain the separator"
        )
    rows = [row + [""] * (width - len(row)) for row in rows]
    names = [".".join(filter(None, (row[i].strip() for row in rows[:header_rows]))) for i in range(width)]
    return {name: [clean_text(row[i]) for row in rows[header_rows:]] for i, name in enumerate(names)}


def _read_parquet(manifest: str) -> Listing:
    try:
        table = pq.read_table(manifest)
    except (pa.ArrowInvalid, OSError) as error:
        raise ConfigError(f"catalog.source: {manifest}: not a Parquet file: {error}") from None
    if table.num_rows == 0:
        raise ConfigError(f"catalog.source: {manifest}: the manifest has no rows")
    return {name: [_cell(value) for value in table[name].to_pylist()] for name in table.column_names}


def _cell(value: Any) -> str | None:
    """Text of a cell; whole numbers without ".0" (pandas stores integers with gaps as floats)."""
    return clean_text(int(value) if isinstance(value, float) and value.is_integer() else value)


def _column(columns: Listing, name: str, key: str, manifest: str) -> str:
    if name not in columns:
        close = difflib.get_close_matches(name, columns, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        names = ", ".join(map(repr, list(columns)[:40]))
        raise ConfigError(f"catalog.{key}: {manifest} has no column {name!r}.{hint} Its columns: {names}")
    return name


def _rows_where(columns: Listing, config: CatalogConfig, manifest: str) -> list[int]:
    n_rows = len(next(iter(columns.values())))
    rows: Iterable[int] = range(n_rows)
    for name, wanted in config.where.items():
        values = columns[_column(columns, name, "where", manifest)]
        allowed = {wanted} if isinstance(wanted, str) else set(wanted)
        rows = [row for row in rows if values[row] in allowed]
        if not rows:
            some = ", ".join(sorted({repr(value) for value in values})[:10])
            raise ConfigError(
                f"catalog.where.{name}: got {wanted!r}, which no row of {manifest} has; values are {some}"
            )
    return list(rows)


def _fill(template: str, claims: Listing, i: int, manifest: str) -> str:
    row = {name: values[i] for name, values in claims.items() if values[i] is not None}
    try:
        return template.format(**row)
    except KeyError as error:
        raise ConfigError(
            f"catalog.path_template: {manifest}: no {error} in the row {row}; set catalog.columns.{error.args[0]}"
        ) from None


def _absolute(paths: Sequence[str | None], root: str, manifest: str) -> list[str]:
    if empty := [i + 1 for i, path in enumerate(paths) if not path]:
        raise ConfigError(f"catalog.source: {manifest}: {len(empty)} rows without a path, the first is row {empty[0]}")
    return [os.path.normpath(os.path.join(root, path)) for path in paths if path]


def _without_repeats(listing: Listing, manifest: str) -> Listing:
    first = {path: i for i, path in reversed(list(enumerate(listing["path"])))}
    keep = sorted(first.values())
    if repeats := len(listing["path"]) - len(keep):
        example = next(path for i, path in enumerate(listing["path"]) if first[path] != i)
        _log.warning("%s: skipped %d rows that repeat a path, such as %s", manifest, repeats, example)
    return {name: [values[i] for i in keep] for name, values in listing.items()}


def _check_ids(listing: Listing, manifest: str) -> None:
    path_of: dict[str, str] = {}
    for track_id, path in zip(listing["track_id"], listing["path"], strict=True):
        if not track_id:
            raise ConfigError(f"catalog.source: {manifest}: no track_id for {path}; add it, or remove the column")
        other = path_of.setdefault(track_id, path)
        if other != path:
            raise ConfigError(f"catalog.source: {manifest}: duplicate track_id {track_id!r}: {other} and {path}")
