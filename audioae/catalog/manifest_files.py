"""Read the columns of a manifest file in blocks: CSV, TSV or JSON lines (each also with .gz), or Parquet.

Conventions
-----------
- A column of a block is an array of cleaned text (`claims.clean_text`), or of lists of text (a list of Parquet or
  JSON). Numbers and dates are text too. A column that a block of JSON lines lacks is null.
- A field within a field, and a name in several rows of a header, is `outer.inner`.
- The delimiter of a CSV is the comma, semicolon, tab or bar that gives the header most cells.
- JSON lines are read twice: any line may have a field that no line before it had.
"""

import codecs
import contextlib
import csv
import gzip
import io
import json
import logging
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TextIO

import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import
import pyarrow.parquet as pq

from audioae.catalog.claims import clean_text
from audioae.catalog.database import BLOCK
from audioae.catalog.texts import TEXTS, map_values
from audioae.errors import ConfigError

Block = dict[str, pa.Array]

_DELIMITERS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}
_UNCLEAN = r"^$|\x00|^[\s\v\x1c-\x1f\x{85}\pZ]|[\s\v\x1c-\x1f\x{85}\pZ]$"
_HEADER = 1 << 16  # characters in which the header ends

_log = logging.getLogger(__name__)


class Columns(NamedTuple):
    """The columns of a manifest.

    Attributes
    ----------
    names : list of str
        Each once, in order.
    doubled : dict of str to list of int
        Where the names are that several columns have, counted from 1.
    blocks : callable
        `blocks(names)` yields these columns in blocks of rows. Raises `ConfigError` at a row that is wrong.
    """

    names: list[str]
    doubled: dict[str, list[int]]
    blocks: Callable[[Sequence[str]], Iterator[Block]]


def open_columns(manifest: str, header_rows: int) -> Columns:
    """Open a manifest by the suffix of its name.

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
        return _open_parquet(manifest)
    return _open_json(manifest) if name.endswith(".jsonl") else _open_csv(manifest, header_rows)


def open_text(manifest: str) -> TextIO:
    """Open a file of UTF-8 text, with or without a byte order mark, compressed (.gz) or not."""
    if manifest.lower().endswith(".gz"):
        return io.TextIOWrapper(gzip.open(manifest), encoding="utf-8-sig", newline="")
    return open(manifest, newline="", encoding="utf-8-sig")


@contextlib.contextmanager
def _reading(manifest: str) -> Iterator[TextIO]:
    """`open_text`, with errors that name the manifest."""
    try:
        try:
            with open_text(manifest) as file:
                yield file
        except UnicodeDecodeError:
            wrong = _first_wrong_byte(manifest)
            raise ConfigError(f"catalog.source: {manifest}: not UTF-8 at byte {wrong}; save it as UTF-8") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConfigError(f"catalog.source: {manifest}: not a whole gzip file: {error}") from None
    except csv.Error as error:
        raise ConfigError(f"catalog.source: {manifest}: not a CSV file: {error}") from None


def _first_wrong_byte(manifest: str) -> int:
    """The offset of the first byte that is not UTF-8."""
    decoder, start = codecs.getincrementaldecoder("utf-8")(), 0
    opened = gzip.open(manifest) if manifest.lower().endswith(".gz") else open(manifest, "rb")  # noqa: SIM115
    with opened as file:
        while block := file.read(_HEADER):
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return start - pending + error.start
            start += len(block)
    return start


def _open_csv(manifest: str, header_rows: int) -> Columns:
    with _reading(manifest) as file:
        usual = "\t" if ".tsv" in manifest.lower()[-7:] else ","
        delimiter = find_delimiter(file.read(_HEADER), usual, manifest)

    def rows() -> Generator[list[str], None, None]:
        with _reading(manifest) as file:
            yield from filter(any, csv.reader(file, delimiter=delimiter))

    with contextlib.closing(rows()) as first:
        header = list(islice(first, header_rows))
        if next(first, None) is None:
            raise ConfigError(f"catalog.source: {manifest}: no rows below the header ({header_rows} rows)")
    width = max(map(len, header))
    header = [row + [""] * (width - len(row)) for row in header]
    names = [".".join(filter(None, (row[i].strip() for row in header))) for i in range(width)]

    def blocks(wanted: Sequence[str]) -> Iterator[Block]:
        places = {name: names.index(name) for name in wanted}
        for block in _in_blocks(islice(rows(), header_rows, None)):
            if max(map(len, block)) > width:
                wide = next(row for row in block if len(row) > width)
                raise ConfigError(
                    f"catalog.source: {manifest}: {len(wide)} cells for {width} columns in the row {wide}; "
                    "put quotes around cells that contain the separator"
                )
            yield {
                name: _cleaned([row[i] if i < len(row) else "" for row in block], pa.string())
                for name, i in places.items()
            }

    return _columns(names, blocks)


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


def _open_json(manifest: str) -> Columns:
    def rows() -> Iterator[dict[str, Any]]:
        with _reading(manifest) as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line) if line.strip() else None
                except (ValueError, RecursionError) as error:
                    raise ConfigError(f"catalog.source: {manifest}: line {number} is not JSON: {error}") from None
                if row is not None and not isinstance(row, dict):
                    kind = type(row).__name__
                    raise ConfigError(
                        f"catalog.source: {manifest}: line {number} is a {kind}; wanted one object per line"
                    )
                if row is not None:
                    yield dict(_flat(row))

    def blocks(wanted: Sequence[str]) -> Iterator[Block]:
        for block in _in_blocks(rows()):
            yield {name: _cells([row.get(name) for row in block]) for name in wanted}

    names: dict[str, None] = {}
    n_rows = 0
    for row in rows():
        names.update(dict.fromkeys(row))
        n_rows += 1
    if not n_rows:
        raise ConfigError(f"catalog.source: {manifest}: the manifest has no rows")
    return _columns(list(names), blocks)


def _flat(row: dict[str, Any], outer: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{outer}{name}.")
        else:
            yield outer + name, value


def _open_parquet(manifest: str) -> Columns:
    try:
        file = pq.ParquetFile(manifest)
    except (pa.ArrowInvalid, OSError) as error:
        raise ConfigError(f"catalog.source: {manifest}: not a Parquet file: {error}") from None
    if file.metadata.num_rows == 0:
        raise ConfigError(f"catalog.source: {manifest}: the manifest has no rows")

    def blocks(wanted: Sequence[str]) -> Iterator[Block]:
        try:
            for batch in file.iter_batches(BLOCK, columns=list(wanted)):
                table = _flattened(pa.Table.from_batches([batch]))
                yield {name: _cleaned(table[name].combine_chunks()) for name in wanted}
        except (pa.ArrowInvalid, OSError) as error:
            raise ConfigError(f"catalog.source: {manifest}: not readable as Parquet: {error}") from None

    return _columns(_flattened(file.schema_arrow.empty_table()).column_names, blocks)


def _flattened(table: pa.Table) -> pa.Table:
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def _in_blocks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while block := list(islice(rows, BLOCK)):
        yield block


def _cleaned(values: Any, kind: pa.DataType | None = None) -> pa.Array:
    """A column of a block, as the conventions have it."""
    values = values if isinstance(values, pa.Array) else pa.array(values, kind)
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type):
        return _cells(values.to_pylist())
    if pa.types.is_integer(values.type):
        return values.cast(pa.string())
    if pa.types.is_string(values.type):
        return _clean_texts(values)
    try:
        return map_values(values, _cell, pa.string())
    except pa.ArrowNotImplementedError:  # a type that cannot be compared
        return _cells(values.to_pylist())


def _clean_texts(values: pa.Array) -> pa.Array:
    """`clean_text` of each, called only for texts that it may change."""
    unclean = pc.fill_null(pc.match_substring_regex(values, _UNCLEAN), False)
    if not pc.any(unclean).as_py():
        return values
    cleaned = map_values(values.filter(unclean), clean_text, pa.string())
    return pc.replace_with_mask(values, unclean, cleaned)


def _cells(values: Sequence[Any]) -> pa.Array:
    """A column of any values; if one of them is a list, all are."""
    cells = [_cell(value) for value in values]
    if any(isinstance(cell, list) for cell in cells):
        return pa.array([[cell] if isinstance(cell, str) else cell for cell in cells], TEXTS)
    return pa.array(cells, pa.string())


def _cell(value: Any) -> str | list[str] | None:
    """A cell; whole numbers without ".0" (pandas stores integers with gaps as floats)."""
    if isinstance(value, list | tuple):
        return [text for item in value if isinstance(text := _cell(item), str)]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return clean_text(int(value) if isinstance(value, float) and value.is_integer() else value)


def _columns(names: Sequence[str], blocks: Callable[[Sequence[str]], Iterator[Block]]) -> Columns:
    places: dict[str, list[int]] = {}
    for number, name in enumerate(names, 1):
        places.setdefault(name, []).append(number)
    return Columns(list(places), {name: at for name, at in places.items() if len(at) > 1}, blocks)
