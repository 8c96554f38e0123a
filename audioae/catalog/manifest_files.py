"""Read the columns of a manifest file: CSV, TSV or JSON lines (each also with .gz), or Parquet.

Conventions
-----------
- A cell is cleaned text, a list of texts (a list of Parquet or JSON), or None. Numbers and dates are text too.
- A field within a field, and a name in several rows of a header, is `outer.inner`.
- The delimiter of a CSV is the comma, semicolon, tab or bar that gives the header most cells.
"""

import csv
import gzip
import io
import json
import logging
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from audioae.catalog.claims import clean_text
from audioae.errors import ConfigError

Cell = str | list[str] | None

_DELIMITERS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}
_HEADER = 1 << 16  # characters in which the header ends

_log = logging.getLogger(__name__)


class Columns(NamedTuple):
    """The columns of a manifest by name, and where the names are that several columns have (counted from 1)."""

    cells: dict[str, list[Cell]]
    doubled: dict[str, list[int]]


def read_columns(manifest: str, header_rows: int) -> Columns:
    """Read a manifest by the suffix of its name.

    Parameters
    ----------
    manifest : str
        Path of the file.
    header_rows : int
        Rows of a CSV that name its columns.

    Raises
    ------
    ConfigError
        If the file does not have the format of its suffix, or has no rows.
    """
    name = manifest.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        return _read_parquet(manifest)
    try:
        with open_text(manifest) as file:
            return _read_json(file, manifest) if name.endswith(".jsonl") else _read_csv(file, manifest, header_rows)
    except UnicodeDecodeError as error:
        raise ConfigError(f"catalog.source: {manifest}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConfigError(f"catalog.source: {manifest}: not a whole gzip file: {error}") from None


def open_text(manifest: str) -> TextIO:
    """Open a file of UTF-8 text, with or without a byte order mark, compressed (.gz) or not."""
    if manifest.lower().endswith(".gz"):
        return io.TextIOWrapper(gzip.open(manifest), encoding="utf-8-sig", newline="")
    return open(manifest, newline="", encoding="utf-8-sig")


def _read_csv(file: TextIO, manifest: str, header_rows: int) -> Columns:
    text = file.read()
    try:
        delimiter = find_delimiter(text, "\t" if ".tsv" in manifest.lower()[-7:] else ",", manifest)
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
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
    return _columns(names, [[clean_text(row[i]) for row in rows[header_rows:]] for i in range(width)])


def find_delimiter(text: str, usual: str, manifest: str) -> str:
    """The delimiter that gives the first row of a CSV most cells; the usual one if it gives as many.

    Parameters
    ----------
    text : str
        The beginning of the file.
    usual : str
    manifest : str
        Its name, for the log.
    """

    def cells(delimiter: str) -> int:
        reader = csv.reader(io.StringIO(text[:_HEADER], newline=""), delimiter=delimiter)
        return len(next(filter(any, reader), []))

    best = max((usual, *_DELIMITERS), key=cells)
    if best != usual:
        _log.info("%s: its cells are separated by %s", manifest, _DELIMITERS[best])
    return best


def _read_json(file: TextIO, manifest: str) -> Columns:
    rows = []
    for number, line in enumerate(file, 1):
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"catalog.source: {manifest}: line {number} is not JSON: {error}") from None
        if row is not None and not isinstance(row, dict):
            raise ConfigError(
                f"catalog.source: {manifest}: line {number} is a {type(row).__name__}; wanted one object per line"
            )
        if row is not None:
            rows.append(dict(_flat(row)))
    if not rows:
        raise ConfigError(f"catalog.source: {manifest}: the manifest has no rows")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _columns(names, [[_cell(row.get(name)) for row in rows] for name in names])


def _flat(row: dict[str, Any], outer: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{outer}{name}.")
        else:
            yield outer + name, value


def _read_parquet(manifest: str) -> Columns:
    try:
        table = pq.ParquetFile(manifest).read()
    except (pa.ArrowInvalid, OSError) as error:
        raise ConfigError(f"catalog.source: {manifest}: not a Parquet file: {error}") from None
    if table.num_rows == 0:
        raise ConfigError(f"catalog.source: {manifest}: the manifest has no rows")
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return _columns(table.column_names, [[_cell(value) for value in column.to_pylist()] for column in table.columns])


def _cell(value: Any) -> Cell:
    """A cell; whole numbers without ".0" (pandas stores integers with gaps as floats)."""
    if isinstance(value, list | tuple):
        return [text for item in value if isinstance(text := _cell(item), str)]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return clean_text(int(value) if isinstance(value, float) and value.is_integer() else value)


def _columns(names: Sequence[str], columns: Sequence[list[Cell]]) -> Columns:
    places: dict[str, list[int]] = {}
    for number, name in enumerate(names, 1):
        places.setdefault(name, []).append(number)
    return Columns(dict(zip(names, columns, strict=True)), {name: at for name, at in places.items() if len(at) > 1})
