"""Which track of a catalog a person or a program means: by track_id, by uri, or by title.

Conventions
-----------
- A track_id is found by binary search. Only a text that is no track_id is compared with every uri, then every title.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.catalog.paths import displayed
from audioae.errors import SearchError
from audioae.library.catalog_columns import CatalogColumns
from audioae.library.close_titles import CloseTitles
from audioae.library.columns import Cells
from audioae.library.records import Track

LISTED = 10  # tracks in a message


class Lookup:
    """The tracks of one catalog version, ready to be found.

    Parameters
    ----------
    columns : CatalogColumns
    where : str
        Its name, for messages.

    Attributes
    ----------
    cells : Cells
        The columns of `tracks`, to be read by row.
    shown : ShownRows
        What answers show of each track.
    """

    def __init__(self, columns: CatalogColumns, where: str):
        self._tracks, self._where = columns.tracks, where
        self._ids = columns.ids
        self.cells = Cells(columns.tracks)
        self.shown = columns.shown
        self._lower_titles: pa.ChunkedArray | None = None
        self._close_titles: CloseTitles | None = None

    def row_of(self, track_id: str) -> int:
        """The catalog row of a track_id, -1 if it is unknown."""
        return self._ids.row_of(track_id)

    def rows_of(self, track_ids: Sequence[str] | pa.Array) -> np.ndarray:
        """Catalog rows of many track_ids, shape (n,), int64; -1 where one is unknown."""
        return self._ids.rows_of(track_ids)

    def rows_from(self, first: str) -> np.ndarray:
        """Catalog rows of the track_ids that are not before `first`, in their order."""
        return self._ids.rows_from(first)

    def find(self, query: str) -> Track:
        """The one track that `query` names: a track_id, a uri, a whole title, or a part of a title.

        Raises
        ------
        SearchError
            If no track matches, or several do; the message lists the candidates.
        """
        return self.track(self.find_row(query))

    def track(self, row: int) -> Track:
        """The track in a catalog row."""
        return Track(**self.cells.row(row))  # pyright: ignore[reportArgumentType]

    def find_row(self, query: str) -> int:
        """As `find`, but returns the catalog row."""
        query = displayed(query)
        if (row := self._ids.row_of(query)) >= 0:
            return row
        for rows in self._candidates(query):
            if len(rows) == 1:
                return int(rows[0])
            if len(rows):
                raise SearchError(
                    f"{query!r} matches {len(rows)} tracks; name one by its track_id:\n{self._listed(rows)}"
                )
        self._close_titles = self._close_titles or CloseTitles(self._tracks["title"])
        close = self._close_titles.find(query)
        hint = (
            f"did you mean {', '.join(map(repr, close))}?" if close else "expected a track_id, a title or an audio file"
        )
        raise SearchError(f"no track {query!r} among the {self._tracks.num_rows} of {self._where}; {hint}")

    def with_content(self, content_hash: str) -> int:
        """The first catalog row whose file has this content hash, -1 if there is none."""
        return pc.index(self._tracks["content_hash"], content_hash).as_py()

    def _candidates(self, query: str):
        if not query:
            return
        yield _where(pc.equal(self._tracks["uri"], query))
        if self._lower_titles is None:
            self._lower_titles = pc.utf8_lower(pc.coalesce(self._tracks["title"], pa.scalar("")))
        yield _where(pc.equal(self._lower_titles, query.lower()))
        yield _where(pc.match_substring(self._lower_titles, query.lower()))

    def _listed(self, rows: np.ndarray) -> str:
        shown = [self.track(int(row)) for row in rows[:LISTED]]
        return "\n".join(f"  {t.track_id}  {t.title} - {t.artist} ({t.album})" for t in shown)


def _where(mask: pa.ChunkedArray) -> np.ndarray:
    return np.flatnonzero(pc.fill_null(mask, False).to_numpy())
