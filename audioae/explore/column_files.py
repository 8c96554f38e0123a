"""The columns of a map, derived once from the datasets of a generation, and then mapped.

Conventions
-----------
- An array is in the order of the map's rows: float32, NaN for unknown, or the codes of `explore.categories`.
- Datasets are read by part, and only the columns that are needed. What is stored of no track makes no column.
- Findings and saved tempos change while an index stays: they have files of their own.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.config import fingerprint
from audioae.explore.categories import MAX_CODES, NONE, Categories, make_categories
from audioae.explore.latent_facts import book_shape
from audioae.explore.map_rows import MapRows, sources_of
from audioae.explore.numbers import summary
from audioae.library.array_files import ArrayFiles, derived_files, write_table
from audioae.library.generation import Generation
from audioae.playlists.tempos import saved_tempos
from audioae.store.manifest import DatasetRef

KIND = "map-columns-1"  # another number when other files are written
KIND_OF_CHANGING = "map-findings-1"
KIND_OF_CODES = "map-codes-1"
DAY_US = 86_400e6
MAX_REGIONS = 255  # that have codes of their own: each has a name on the map
EMBEDDED = ("reconstruction_error", "spread", "n_clips")
MEASURED = {"energy": "rms_dbfs", "bandwidth_hz": "bandwidth_hz"}


class ColumnFiles(NamedTuple):
    """Files of columns, and a text that other content has not."""

    files: ArrayFiles
    tag: str


def open_column_files(library: Generation, rows: MapRows, ref: DatasetRef, names: list[str]) -> ColumnFiles:
    """What follows from a map and its index; `names` are those of the regions, by number."""
    manifest = library.store.manifest(library.embeddings_ref)
    refs = (ref, library.index_ref, library.tracks_ref, library.embeddings_ref, manifest.parent("health"))
    sources = [*sources_of(library.store, *refs), *names]

    def write(files: ArrayFiles) -> None:
        _write_catalog(files, library, rows)
        _write_categories(files, "region", rows.region, names, MAX_REGIONS)
        _write_part_columns(files, library, rows, library.embeddings_ref, {name: name for name in EMBEDDED})
        _write_part_columns(files, library, rows, manifest.parent("health"), MEASURED)
        _write_neighbors(files, library, rows)

    return _derived(KIND, library, sources, write)


def open_changing_files(
    library: Generation, rows: MapRows, ref: DatasetRef, findings: DatasetRef | None
) -> ColumnFiles:
    """What is saved later: findings and tempos."""
    tempos = saved_tempos(library.store, library.mels_config)
    refs = [one for one in (ref, library.index_ref, library.tracks_ref, findings, tempos) if one is not None]

    def write(files: ArrayFiles) -> None:
        if findings is not None:
            _write_findings(files, library, rows, findings)
        if tempos is not None:
            _write_tempos(files, library, rows, tempos)

    return _derived(KIND_OF_CHANGING, library, sources_of(library.store, *refs), write)


def open_code_files(library: Generation, rows: MapRows, ref: DatasetRef) -> ColumnFiles:
    """The code of each track in the first book of the model; computed now if it was not before.

    Raises
    ------
    NoCodebookError, ModelError, StoreError
        If the model has no codebook, it cannot be run, or the cache folder cannot be written.
    """
    from audioae.explore.codes import track_codes

    codes = track_codes(library)[rows.index_row].astype(np.int32)  # now: the cache makes one thing at a time
    values, names = np.where(codes == NONE, -1, codes), [f"code {code}" for code in range(book_shape(library)[1])]
    sources = sources_of(library.store, ref, library.index_ref, library.tracks_ref, library.model_ref)
    return _derived(KIND_OF_CODES, library, sources, lambda files: _write_categories(files, "code", values, names))


def read_categories(files: ArrayFiles, name: str) -> Categories:
    return Categories(*(files.array(f"{name}.{field}") for field in Categories._fields))


def _derived(kind: str, library: Generation, sources: list[str], write: Callable[[ArrayFiles], None]) -> ColumnFiles:
    files = derived_files(kind, sources, write, cache=not library.store.verify_reads)
    return ColumnFiles(files, fingerprint([kind, sources]))


def _write_catalog(files: ArrayFiles, library: Generation, rows: MapRows) -> None:
    columns, at = library.columns, rows.catalog_row
    for name in ("label", "artist"):
        _write_codes(files, name, columns.codes[name][at], columns.vocabularies[name].folded)
    for name in ("year", "duration_s"):
        _write_number(files, name, columns.numbers[name][at])
    times = columns.added_at[at]
    _write_number(files, "added_at", np.where(times == np.iinfo(np.int64).min, np.nan, times / DAY_US))


def _write_neighbors(files: ArrayFiles, library: Generation, rows: MapRows) -> None:
    alignment = library.alignment
    if alignment.has_neighbors:
        _write_number(files, "closeness", alignment.mean_knn_cosine[rows.index_row])
    size = np.bincount(alignment.group, minlength=len(alignment.group))
    group = alignment.group[rows.index_row]
    copied = np.where(size[group] > 1, (group != rows.index_row).astype(np.int32), -1)
    _write_categories(files, "duplicate", copied, ["has copies", "copy"])


def _write_part_columns(
    files: ArrayFiles, library: Generation, rows: MapRows, ref: DatasetRef, stored: dict[str, str]
) -> None:
    """Numbers of a dataset that has a row per track."""
    found = {name: np.full(len(rows), np.nan, np.float32) for name in stored}
    for part in library.store.iter_parts(ref, ["track_id", *stored.values()]):
        at = _rows_of(library, rows, part["track_id"])
        for name, column in stored.items():
            values = part[column].cast(pa.float32()).to_numpy()
            found[name][at[at >= 0]] = values[at >= 0]
    for name, values in found.items():
        _write_number(files, name, values)


def _write_findings(files: ArrayFiles, library: Generation, rows: MapRows, ref: DatasetRef) -> None:
    """The check that gave each track its lowest score, if it is an issue."""
    parts = library.store.iter_parts(ref, ["track_id", "check", "score", "is_issue"])
    issues = pa.concat_tables([part.filter(part["is_issue"]) for part in parts])
    checks = sorted(pc.unique(issues["check"]).to_pylist())
    at = _rows_of(library, rows, issues["track_id"])
    check = pc.index_in(issues["check"], value_set=pa.array(checks, pa.string())).to_numpy()
    order = np.argsort(-np.nan_to_num(issues["score"].to_numpy(), nan=1.0), kind="stable")
    order = order[at[order] >= 0]
    worst = np.full(len(rows), -1, np.int32)
    worst[at[order]] = check[order]  # the last that is written stays: the lowest score
    _write_categories(files, "finding", worst, checks)


def _write_tempos(files: ArrayFiles, library: Generation, rows: MapRows, ref: DatasetRef) -> None:
    saved, values = library.store.read(ref), np.full(len(rows), np.nan, np.float32)
    for start, block in _blocks(library.tracks["content_hash"]):
        place = pc.index_in(block, value_set=saved["content_hash"].combine_chunks())
        at = rows.row[start : start + len(block)]
        known = (at >= 0) & place.is_valid().to_numpy(zero_copy_only=False)
        tempos = saved["tempo"].to_numpy()
        values[at[known]] = tempos[place.filter(pa.array(known)).to_numpy()]
    _write_number(files, "tempo", values)


def _blocks(column: pa.ChunkedArray) -> Iterator[tuple[int, pa.Array]]:
    start = 0
    for chunk in column.chunks:
        yield start, chunk
        start += len(chunk)


def _rows_of(library: Generation, rows: MapRows, track_ids: pa.ChunkedArray) -> np.ndarray:
    found = library.columns.ids.rows_of(track_ids.combine_chunks())
    return np.where(found >= 0, rows.row[found], -1) if len(found) else np.empty(0, np.int32)


def _write_categories(
    files: ArrayFiles, name: str, values: np.ndarray, texts: list[str], max_codes: int = MAX_CODES
) -> None:
    """A category whose texts are few; nothing if no row has one."""
    if not (values >= 0).any():
        return
    table = pa.table({"text": pa.array(texts, pa.string())})
    write_table(files, f"{name}.texts", table)
    _write_codes(files, name, values, table["text"], max_codes)


def _write_codes(
    files: ArrayFiles, name: str, values: np.ndarray, folded: pa.ChunkedArray, max_codes: int = MAX_CODES
) -> None:
    if not (values >= 0).any():
        return
    made = make_categories(values, folded, max_codes)
    files.write(name, made.codes(values))
    for field, array in zip(Categories._fields, made, strict=True):
        files.write(f"{name}.{field}", array)


def _write_number(files: ArrayFiles, name: str, values: np.ndarray) -> None:
    values = values.astype(np.float32)
    if not np.isnan(values).all():
        files.write(name, values)
        files.write(f"{name}.summary", summary(values))
