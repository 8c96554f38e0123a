"""What a map can be colored by: its columns, their values and their legends.

Conventions
-----------
- A column is a category (codes, see `explore.categories`), a number, or a time (days since 1970, UTC).
- A column that the store has no values for is not there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from audioae.errors import SearchError
from audioae.explore.categories import Categories, legend
from audioae.explore.column_files import ColumnFiles, read_categories
from audioae.explore.numbers import SUMMARY, Moments
from audioae.library.vocabulary import Vocabulary

Kind = Literal["category", "number", "time"]


@dataclass(frozen=True)
class MapColumn:
    """A column; `unit` is "" where the number has none."""

    name: str
    title: str
    kind: Kind
    unit: str = ""


COLUMNS = (
    MapColumn("label", "Label", "category"),
    MapColumn("artist", "Artist", "category"),
    MapColumn("region", "Region", "category"),
    MapColumn("finding", "Worst finding", "category"),
    MapColumn("duplicate", "Duplicates", "category"),
    MapColumn("code", "Codebook entry", "category"),
    MapColumn("year", "Year", "number"),
    MapColumn("added_at", "Added", "time", "days since 1970"),
    MapColumn("duration_s", "Duration", "number", "s"),
    MapColumn("tempo", "Tempo", "number", "BPM"),
    MapColumn("energy", "Level", "number", "dBFS"),
    MapColumn("bandwidth_hz", "Bandwidth", "number", "Hz"),
    MapColumn("reconstruction_error", "Reconstruction error", "number"),
    MapColumn("spread", "Variety within the track", "number"),
    MapColumn("closeness", "Closeness of its neighbors", "number", "cosine"),
    MapColumn("n_clips", "Clips", "number"),
)


class MapColumns:
    """The columns of one map.

    Parameters
    ----------
    opened : ColumnFiles
        Two kinds, as `explore.column_files` writes them.
    vocabularies : dict of str to Vocabulary
        The catalog's, of labels and artists.
    later : dict of str to function
        Columns that take long to compute, and what opens them; called when one is asked for.

    Attributes
    ----------
    present : dict of str to MapColumn
        Those that there are values for, in the order of `COLUMNS`.
    """

    def __init__(
        self,
        *opened: ColumnFiles,
        vocabularies: dict[str, Vocabulary],
        later: dict[str, Callable[[], ColumnFiles]],
    ):
        self._found = {one.name: where for one in COLUMNS for where in opened if one.name in where.files}
        self.present = {one.name: one for one in COLUMNS if one.name in self._found or one.name in later}
        self._vocabularies, self._later = vocabularies, later
        self._values = {name: where.files.array(name) for name, where in self._found.items()}

    def column(self, name: str) -> MapColumn:
        """Raises `SearchError` if there is none of this name."""
        if name not in self.present:
            raise SearchError(f"the map has no column {name!r}; it has: {', '.join(self.present)}")
        return self.present[name]

    def values(self, name: str) -> np.ndarray:
        """Codes, shape (n,), uint16, or numbers, shape (n,), float32."""
        if name not in self._values:
            self._values[name] = self._opened(name).files.array(name)
        return self._values[name]

    def tag(self, name: str) -> str:
        """A text that other values of the column have not."""
        return self._opened(name).tag

    def legend(self, name: str) -> dict[str, Any]:
        """What the codes mean (`values`), or the range of the numbers (`min`, `p1`, `p50`, `p99`, `max`)."""
        column = self.column(name)
        if column.kind == "category":
            values = legend(self.categories(name), self.texts(name))
            return {"kind": column.kind, "values": values}
        numbers = dict(zip(SUMMARY, self._opened(name).files.array(f"{name}.summary").tolist(), strict=True))
        shown = {key: numbers[key] for key in ("min", "p1", "p50", "p99", "max")}
        return {"kind": column.kind, **shown, "n": int(numbers["n"]), "unit": column.unit}

    def categories(self, name: str) -> Categories:
        return read_categories(self._opened(name).files, name)

    def texts(self, name: str) -> Any:
        """The text of each value of a category, by its number."""
        if name in self._vocabularies:
            return self._vocabularies[name]
        return self._opened(name).files.table(f"{name}.texts")["text"].to_pylist()

    def moments(self, name: str) -> Moments:
        """Of all rows of the map."""
        return Moments(*self._opened(name).files.array(f"{name}.summary")[: len(Moments._fields)].tolist())

    def _opened(self, name: str) -> ColumnFiles:
        if name not in self._found:
            self._found[name] = self._later[self.column(name).name]()
        return self._found[name]
