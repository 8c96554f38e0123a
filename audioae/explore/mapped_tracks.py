"""The tracks of a map: their places, who they are, what is known of them by column, and which pass filters.

Conventions
-----------
- A row is the number of a track on the map (`explore.map_rows`). Answers are in rows, which belong to one `version`.
- A map belongs to one generation: its rows, names and embeddings are those of the index that the library opened. If
  that index has no map, the newest one is used, with the tracks that both have; `outdated` says so.
- Arrays are mapped files: 1,000,000 tracks take 120 MB of disk, and of memory what is touched, shared by processes.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from audioae.config import fingerprint
from audioae.errors import NoMatchError, SearchError
from audioae.explore.column_files import open_changing_files, open_code_files, open_column_files
from audioae.explore.latent_facts import book_shape
from audioae.explore.map_columns import MapColumns
from audioae.explore.map_rows import open_rows
from audioae.explore.polygon import MAX_VERTICES, inside
from audioae.library.filters import Filters, matching
from audioae.library.generation import Generation
from audioae.maps.reader import Region, open_map
from audioae.store.manifest import DatasetRef

MAX_ROWS = 100_000
FARTHEST = 1e9


class MappedTracks:
    """One map of a generation.

    Parameters
    ----------
    library : Generation
    ref : DatasetRef
        A version of `map`.

    Attributes
    ----------
    version : str
        Of the numbering of the rows: another map or another index has another.
    regions : tuple of Region
        Largest first, with the numbers that the map gave them.
    columns : MapColumns
        What the tracks can be colored by.
    """

    def __init__(self, library: Generation, ref: DatasetRef, findings: DatasetRef | None):
        opened = open_map(library.store, ref)
        self.library, self.ref, self.findings_ref, self.index_ref = library, ref, findings, opened.index_ref
        self.version = fingerprint([str(ref), str(library.index_ref)])
        self.regions: tuple[Region, ...] = opened.regions
        self.rows = open_rows(library, opened)
        names = [""] * (1 + max((region.region for region in self.regions), default=-1))
        for region in self.regions:
            names[region.region] = region.name
        self.region_names = names
        files = (
            open_column_files(library, self.rows, ref, names),
            open_changing_files(library, self.rows, ref, findings),
        )
        codes = {"code": lambda: open_code_files(library, self.rows, ref)} if book_shape(library)[0] else {}
        self.columns = MapColumns(*files, vocabularies=library.columns.vocabularies, later=codes)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def points(self) -> np.ndarray:
        """x and y of each row, shape (n, 2), float32."""
        return self.rows.points

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 of all points; zeros if there are none."""
        if not len(self):
            return 0.0, 0.0, 0.0, 0.0
        (x0, y0), (x1, y1) = self.points.min(axis=0).tolist(), self.points.max(axis=0).tolist()
        return x0, y0, x1, y1

    @property
    def outdated(self) -> str | None:
        """A sentence if the map was made for another index than the one that is open."""
        index = self.library.index_ref
        if self.index_ref == index:
            return None
        return f"the map is of {self.index_ref}, this index is {index}: run `audioae run map CONFIG`"

    def rows_of(self, track_ids: Sequence[str]) -> np.ndarray:
        """Rows of some tracks, shape (n,), int32; -1 for those that are not on the map."""
        found = self.library.lookup.rows_of(track_ids)
        return np.where(found >= 0, self.rows.row[found], -1).astype(np.int32)

    def tracks(self, rows: Sequence[int]) -> list[dict[str, Any] | None]:
        """Who the tracks are: row, x, y, track_id, title, artist, album, label, uri, year, duration_s, region, finding.

        A row that the map does not have gives None.
        """
        known = [row for row in rows if 0 <= row < len(self)]
        at = self.rows.catalog_row[known].tolist()
        texts = iter(self.library.columns.shown.texts(at))
        return [self._track(row, next(texts)) if 0 <= row < len(self) else None for row in rows]

    def mask(self, filters: Filters) -> np.ndarray:
        """Which rows pass, shape (n,), bool; a row passes if its track does, or one with the same bytes.

        Raises
        ------
        SearchError
            If a label, artist or album is not in the catalog, or a range is reversed.
        """
        mask = np.zeros(len(self), bool)
        try:
            rows = self.rows.row[matching(self.library.columns, filters)]
        except NoMatchError:
            return mask
        mask[rows[rows >= 0]] = True
        return mask

    def inside(self, polygon: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
        """The rows inside of a polygon of 3 to `MAX_VERTICES` vertices (x, y), ascending, int32."""
        vertices = np.asarray(polygon, np.float64)
        if vertices.ndim != 2 or vertices.shape[1] != 2 or not 3 <= len(vertices) <= MAX_VERTICES:
            raise SearchError(f"polygon: got shape {vertices.shape}, wanted 3 to {MAX_VERTICES:,} pairs of x and y")
        if not (np.abs(vertices) <= FARTHEST).all():
            raise SearchError(f"polygon: got a vertex beyond {FARTHEST:g}; wanted places near the map's bounds")
        return np.sort(self.rows.by_y[inside(vertices, self.rows.sorted_x, self.rows.sorted_y)])

    def checked(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Rows in ascending order, each once, int32. Raises `SearchError` if one is not on the map."""
        chosen = np.unique(np.asarray(rows, np.int64))
        if len(chosen) > MAX_ROWS:
            raise SearchError(f"rows: got {len(chosen):,}, wanted {MAX_ROWS:,} at most; draw a polygon instead")
        if len(chosen) and not (chosen[0] >= 0 and chosen[-1] < len(self)):
            wrong = chosen[-1] if chosen[0] >= 0 else chosen[0]
            raise SearchError(f"rows: got {wrong}, wanted 0 to {len(self) - 1}; load the map again")
        return chosen.astype(np.int32)

    def column_values(self, name: str, rows: np.ndarray) -> np.ndarray:
        """The number of each row's value of a category, as `columns.texts` counts them; -1 for none."""
        if name in self.library.columns.codes:
            return self.library.columns.codes[name][self.rows.catalog_row[rows]]
        if name == "region":
            return self.rows.region[rows]
        raise SearchError(f"the values of {name!r} are not counted; wanted label, artist or region")

    def _track(self, row: int, texts: dict[str, Any]) -> dict[str, Any]:
        (x, y), at, region = self.points[row].tolist(), self.rows.catalog_row[row], int(self.rows.region[row])
        numbers = {name: float(self.library.columns.numbers[name][at]) for name in ("year", "duration_s")}
        numbers = {name: None if value != value else value for name, value in numbers.items()}
        year = None if numbers["year"] is None else int(numbers["year"])
        return {
            "row": row,
            "x": x,
            "y": y,
            **texts,
            "year": year,
            "duration_s": numbers["duration_s"],
            "region": self.region_names[region] if region >= 0 else None,
            "finding": self._finding(row),
        }

    def _finding(self, row: int) -> str | None:
        if "finding" not in self.columns.present:
            return None
        return self._checks.get(int(self.columns.values("finding")[row]))

    @cached_property
    def _checks(self) -> dict[int, str]:
        return {one["code"]: one["value"] for one in self.columns.legend("finding")["values"]}
