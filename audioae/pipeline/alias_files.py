"""Read a file that says which tracks other IDs mean: CSV, TSV or JSON lines (each also with .gz), or Parquet.

Conventions
-----------
- A row is `external_id` and any of `KEYS`, by which its track is found. Empty cells are null, numbers are text.
- Columns are Arrow arrays from beginning to end: a million rows take seconds and some hundred megabytes.
"""

import csv
import difflib
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from audioae.catalog.manifest_files import find_delimiter, open_text
from audioae.errors import ConfigError

KEYS = ("track_id", "isrc", "musicbrainz_id", "path", "title", "artist", "album", "duration_s")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
HEADER = 1 << 16  # characters in which the header ends
METADATA = ("title", "artist", "duration_s")
ALONE = ("track_id", "isrc", "musicbrainz_id", "path")


def read_alias_file(path: str, names: Mapping[str, str] | None = None) -> pa.Table:
    """Read the rows of a file.

    Parameters
    ----------
    path : str
    names : mapping of str to str, optional
        What the file calls our columns; default: the same names.

    Returns
    -------
    pa.Table
        `external_id` (never null) and those of `KEYS` that the file has: strings, `duration_s` float64.

    Raises
    ------
    ConfigError
        If the file cannot be read, lacks `external_id` or every key, or has a row without an external ID.
    """
    given, ours = names or {}, ("external_id", *KEYS)
    if wrong := sorted(set(given) - set(ours)):
        raise ConfigError(f"no column {wrong[0]!r} of aliases; wanted one of: {', '.join(ours)}")
    try:
        table = _read(path, {name: given.get(name, name) for name in ours})
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, csv.Error, UnicodeDecodeError, EOFError) as error:
        raise ConfigError(f"{path}: not readable as {_kind(path)} in UTF-8: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    if not table.num_rows:
        raise ConfigError(f"{path}: no rows; wanted external_id and what its track is found by")
    columns = {name: _texts(table[name]) for name in table.column_names}
    if "duration_s" in columns:
        columns["duration_s"] = _seconds(columns["duration_s"], path)
    if columns["external_id"].null_count:
        row = pc.index(columns["external_id"].is_null(), True).as_py() + 1
        raise ConfigError(
            f"{path}: {columns['external_id'].null_count} rows have no external_id, the first is row {row}"
        )
    return pa.table(columns)


def _kind(path: str) -> str:
    name = path.lower().removesuffix(".gz")
    kind = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)
    if kind is None:
        raise ConfigError(f"{path}: wanted a file {', '.join(SUFFIXES)} (all but .parquet also .gz)")
    return kind[1:]


def _read(path: str, names: Mapping[str, str]) -> pa.Table:
    """The columns that the file has, with our names."""
    kind = _kind(path)
    if kind == "parquet":
        file = pq.ParquetFile(path)
        table = file.read(list(_present(file.schema_arrow.names, names, path).values()))
    elif kind == "jsonl":
        with pa.input_stream(path, compression="detect") as stream:
            table = pyarrow.json.read_json(stream)
    else:
        table = _read_csv(path, kind, names)
    return pa.table({ours: table[theirs] for ours, theirs in _present(table.column_names, names, path).items()})


def _read_csv(path: str, kind: str, names: Mapping[str, str]) -> pa.Table:
    with open_text(path) as file:
        delimiter = find_delimiter(file.read(HEADER), "\t" if kind == "tsv" else ",", path)
    with open_text(path) as file:
        header = next(csv.reader(file, delimiter=delimiter), [])
    wanted = list(_present(header, names, path).values())
    return pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), null_values=[""]
        ),
    )


def _present(theirs: list[str], names: Mapping[str, str], path: str) -> dict[str, str]:
    """Those of our columns that the file has, and its names for them."""
    present = {ours: name for ours, name in names.items() if name in theirs}
    if doubled := [name for name in present.values() if theirs.count(name) > 1]:
        raise ConfigError(f"{path}: two columns are called {doubled[0]!r}; rename one")
    needed = [name for ours, name in names.items() if ours == "external_id" or ours != name]
    missing = next((name for name in needed if name not in theirs), None)
    listed = ", ".join(map(repr, theirs[:40]))
    if missing:
        close = difflib.get_close_matches(missing, theirs, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            f"{path} has no column {missing!r}.{hint} Its columns: {listed}; `--column external_id=NAME` says which "
            "column is meant"
        )
    if not set(ALONE) & set(present) and not set(METADATA) <= set(present):
        raise ConfigError(
            f"{path} has nothing to find tracks by: wanted {', '.join(ALONE)}, or {', '.join(METADATA)} together. "
            f"Its columns: {listed}; `--column isrc=NAME` says which column is meant"
        )
    return present


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts without whitespace at their ends; null where nothing is left."""
    if pa.types.is_list(column.type):
        column = pc.list_element(column, 0)
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _seconds(texts: pa.ChunkedArray, path: str) -> pa.ChunkedArray:
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid as error:
        raise ConfigError(f"{path}: duration_s: wanted seconds such as 185.2; {error}") from None
