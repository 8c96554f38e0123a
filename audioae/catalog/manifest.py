"""Read a manifest as a listing of tracks, in blocks.

Conventions
-----------
- `sources.CatalogConfig` maps the manifest's columns to ours; `LISTED` has the columns of a block. Claims are as the
  manifest has them, without whitespace at their ends; several artists or labels are a list.
- Rows are counted from 1, without the header.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.audio.remote import is_remote
from audioae.catalog.database import encoded
from audioae.catalog.manifest_files import Block, Columns, open_columns
from audioae.catalog.sources import CLAIMS, FILE_CLAIMS, CatalogConfig, require_source
from audioae.catalog.texts import TEXTS, first_texts, map_values, single
from audioae.errors import ConfigError

SEVERAL = ("artist", "label")  # claims that may be several
_NUMBERS = {"size_bytes": pa.int64(), "modified_ns": pa.int64(), "duration_s": pa.float64()}

LISTED = pa.schema(
    [
        ("row", pa.int64()),
        ("path", pa.binary()),  # absolute; see `catalog.database`
        ("relative", pa.binary()),  # to the root, with "/"
        *((name, TEXTS if name in SEVERAL else pa.string()) for name in CLAIMS),
        *((name, _NUMBERS.get(name, pa.string())) for name in FILE_CLAIMS),
    ]
)


def open_manifest(config: CatalogConfig) -> tuple[set[str], Iterator[pa.Table]]:
    """Open the manifest `config.source`.

    Returns
    -------
    names : set of str
        The columns that it gives.
    blocks : Iterator of pa.Table
        Its rows that are wanted (`config.where`), with the schema `LISTED`.

    Raises
    ------
    ConfigError
        If the manifest does not exist, does not have the format of its suffix, lacks a column or has it twice; while
        it is read, if a row has no path. What needs all rows to be known is raised after the last block.
    """
    manifest = require_source(config)
    columns = open_columns(manifest, config.header_rows)
    names = _names(columns, config, manifest)
    return set(names), _blocks(config, manifest, columns, names)


def _blocks(config: CatalogConfig, manifest: str, columns: Columns, names: Mapping[str, str]) -> Iterator[pa.Table]:
    where, paths = _Where(config, manifest), _Paths(config, manifest)
    start = 0
    wanted = list(dict.fromkeys([*names.values(), *config.where])) or columns.names[:1]
    for block in columns.blocks(wanted):
        n_rows = len(next(iter(block.values())))
        rows = where.rows(block, n_rows)
        claims = {ours: block[theirs].take(pa.array(rows)) for ours, theirs in names.items()}
        if len(rows):
            yield paths.listed(claims, start + 1 + rows)
        start += n_rows
    where.check()
    paths.check()


def _names(columns: Columns, config: CatalogConfig, manifest: str) -> dict[str, str]:
    """Our names of the columns that are there, and those of the manifest."""
    for name in config.where:
        _require(columns, name, "where", manifest)
    names = {}
    for name in ("path", *CLAIMS, *FILE_CLAIMS):
        theirs = config.columns.get(name, name)
        if name in config.columns or (name in columns.names and name not in FILE_CLAIMS):
            _require(columns, theirs, f"columns.{name}", manifest)
            names[name] = theirs
    if "path" not in names and not config.path_template:
        _require(columns, "path", "columns.path", manifest)
    return names


def _require(columns: Columns, name: str, key: str, manifest: str) -> None:
    if places := columns.doubled.get(name):
        numbers = " and ".join(map(str, places))
        raise ConfigError(f"catalog.{key}: {manifest}: the columns {numbers} are both called {name!r}; rename one")
    if name not in columns.names:
        close = difflib.get_close_matches(name, columns.names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        names = ", ".join(map(repr, columns.names[:40]))
        raise ConfigError(f"catalog.{key}: {manifest} has no column {name!r}.{hint} Its columns: {names}")


class _Where:
    """Chooses the rows that `config.where` wants."""

    def __init__(self, config: CatalogConfig, manifest: str):
        self._wanted, self._manifest = config.where, manifest
        self._kept = dict.fromkeys(config.where, 0)
        self._values: dict[str, list[str]] = {name: [] for name in config.where}

    def rows(self, block: Block, n_rows: int) -> np.ndarray:
        rows = np.arange(n_rows)
        for name, wanted in self._wanted.items():
            allowed = pa.array([wanted] if isinstance(wanted, str) else wanted, pa.string())
            rows = rows[_has(block[name], allowed)[rows]]
            self._kept[name] += len(rows)
            some = set(map(repr, dict.fromkeys(map(_hashable, block[name].to_pylist()))))
            self._values[name] = sorted(some | set(self._values[name]))[:10]
        return rows

    def check(self) -> None:
        """Raise `ConfigError` if no row was left."""
        for name, n_kept in self._kept.items():
            if not n_kept:
                raise ConfigError(
                    f"catalog.where.{name}: got {self._wanted[name]!r}, which no row of {self._manifest} has; "
                    f"values are {', '.join(self._values[name])}"
                )


def _has(values: pa.Array, allowed: pa.Array) -> np.ndarray:
    """Whether each text, or a text of each list, is allowed."""
    if not pa.types.is_list(values.type):
        return pc.is_in(values, value_set=allowed).to_numpy(zero_copy_only=False)
    found = np.zeros(len(values), bool)
    is_in = pc.is_in(pc.list_flatten(values), value_set=allowed).to_numpy(zero_copy_only=False)
    found[pc.list_parent_indices(values).to_numpy()[is_in]] = True
    return found


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class _Paths:
    """Makes blocks of a listing from claims; remembers which rows have no path, or one that leads out of the root."""

    def __init__(self, config: CatalogConfig, manifest: str):
        self._config, self._manifest = config, manifest
        source = os.path.abspath(os.path.expanduser(config.root)) if config.root else os.path.dirname(manifest)
        self._root, self._below = source, os.path.join(source, "")
        self._empty: list[int] = [0, 0]  # how many, and the first row
        self._outside: list[Any] = [0, ""]  # how many, and the first path

    def listed(self, claims: Mapping[str, pa.Array], rows: np.ndarray) -> pa.Table:
        columns = {name: _as_lists(values) if name in SEVERAL else _as_texts(values) for name, values in claims.items()}
        if "track_id" in columns:
            width = self._config.id_width
            columns["track_id"] = map_values(columns["track_id"], lambda text: text.zfill(width), pa.string())
        if template := self._config.path_template:
            paths = [self._fill(template, row) for row in _first_rows(columns, len(rows))]
        else:
            paths = columns.pop("path").to_pylist()
        paths = [self._absolute(path, row) for path, row in zip(paths, rows.tolist(), strict=True)]
        relative = [path.removeprefix(self._below).replace(os.sep, "/") for path in paths]
        arrays = {
            "row": pa.array(rows, pa.int64()),
            "path": pa.array(list(map(encoded, paths)), pa.binary()),
            "relative": pa.array(list(map(encoded, relative)), pa.binary()),
            **{name: self._number(name, columns[name]) for name in _NUMBERS if name in columns},
        }
        arrays = {**columns, **arrays}
        return pa.table([arrays.get(f.name, pa.nulls(len(rows), f.type)) for f in LISTED], schema=LISTED)

    def check(self) -> None:
        """Raise `ConfigError` if a row has no path, or one that leads out of the root."""
        if self._empty[0]:
            raise ConfigError(
                f"catalog.source: {self._config.source}: {self._empty[0]} rows without a path, the first is row "
                f"{self._empty[1]}"
            )
        if self._outside[0] and not self._config.follow_outside:
            raise ConfigError(
                f"catalog.source: {self._config.source}: {self._outside[0]} paths lead out of {self._root}, such as "
                f"{self._outside[1]}; set catalog.root to a folder that holds them all, or catalog.follow_outside=true"
            )

    def _fill(self, template: str, row: dict[str, str]) -> str:
        try:
            return template.format(**row)
        except KeyError as error:
            raise ConfigError(
                f"catalog.path_template: {self._manifest}: no {error} in the row {row}; "
                f"set catalog.columns.{error.args[0]}"
            ) from None

    def _absolute(self, path: str | None, row: int) -> str:
        if not path:
            self._empty = [self._empty[0] + 1, self._empty[1] or row]
            return ""
        if is_remote(path):
            return path
        absolute = os.path.normpath(os.path.join(self._root, path))
        if not os.path.isabs(path) and not absolute.startswith(self._below):
            self._outside = [self._outside[0] + 1, self._outside[1] or path]
        return absolute

    def _number(self, name: str, texts: pa.Array) -> pa.Array:
        try:
            return texts.cast(_NUMBERS[name])
        except pa.ArrowInvalid as error:
            wanted = "seconds such as 185.2" if name == "duration_s" else "integers"
            raise ConfigError(f"catalog.columns.{name}: {self._manifest}: wanted {wanted}; {error}") from None


def _as_texts(values: pa.Array) -> pa.Array:
    return first_texts(values) if pa.types.is_list(values.type) else values


def _as_lists(values: pa.Array) -> pa.Array:
    return values if pa.types.is_list(values.type) else single(values)


def _first_rows(columns: Mapping[str, pa.Array], n_rows: int) -> list[dict[str, str]]:
    """The claims of each row, of several the first, without those that it lacks."""
    texts = {name: _as_texts(values).to_pylist() for name, values in columns.items()}
    return [{name: values[i] for name, values in texts.items() if values[i] is not None} for i in range(n_rows)]
