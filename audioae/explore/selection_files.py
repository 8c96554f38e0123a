"""A selection as a file: CSV for tables, M3U8 for players.

Conventions
-----------
- Text is escaped as in `audioae.display`: no cell of a CSV is computed by a spreadsheet, and no title ends a line. A
  track_id is written as it is, to be read back.
- A file has at most `MAX_ROWS` tracks, in the order of their rows; it is written block by block.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.catalog.paths import address_of, paths_of
from audioae.display import csv_cell
from audioae.errors import SearchError
from audioae.explore.selection import Selection
from audioae.playlists.export import export_playlist

MAX_ROWS = 100_000
BLOCK = 4096
COLUMNS = (
    *("row", "track_id", "title", "artist", "album", "label", "year", "duration_s"),
    *("region", "finding", "x", "y", "uri"),
)


def as_csv(selection: Selection) -> bytes:
    """A row per track. Raises `SearchError` if there are too many."""
    return b"".join(_csv_blocks(selection))


def as_m3u8(selection: Selection, name: str) -> bytes:
    """A playlist of the tracks. Raises `SearchError` if there are too many."""
    entries = (entry for rows in _blocks(selection) for entry in _entries(selection, rows))
    return export_playlist({"name": name, "entries": entries}, "m3u8").encode()


def track_ids(selection: Selection) -> list[str]:
    """The track_ids, for filters. Raises `SearchError` if there are too many."""
    column = selection.map.library.tracks["track_id"]
    catalog_row = selection.map.rows.catalog_row
    return [one for rows in _blocks(selection) for one in column.take(pa.array(catalog_row[rows])).to_pylist()]


def _csv_blocks(selection: Selection) -> Iterator[bytes]:
    yield (",".join(COLUMNS) + "\n").encode()
    for rows in _blocks(selection):
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        tracks = (track for track in selection.map.tracks(rows.tolist()) if track is not None)
        writer.writerows([_cell(name, track[name]) for name in COLUMNS] for track in tracks)
        yield file.getvalue().encode()


def _entries(selection: Selection, rows: np.ndarray) -> list[dict[str, Any]]:
    names = ["uri", "path_bytes", "title", "artist", "duration_s"]
    tracks = selection.map.library.tracks.select(names).take(pa.array(selection.map.rows.catalog_row[rows]))
    paths = map(address_of, paths_of(tracks))
    return [
        {**track, "title": track["title"] or Path(track["uri"]).stem, "address": path}
        for track, path in zip(tracks.to_pylist(), paths, strict=True)
    ]


def _blocks(selection: Selection) -> Iterator[np.ndarray]:
    if len(selection) > MAX_ROWS:
        raise SearchError(f"got a selection of {len(selection):,} tracks, wanted {MAX_ROWS:,} at most; select fewer")
    for start in range(0, len(selection), BLOCK):
        yield selection.rows[start : start + BLOCK]


def _cell(name: str, value: Any) -> Any:
    if name in ("x", "y"):
        return f"{value:.6g}"
    return value if name == "track_id" else csv_cell(value)
