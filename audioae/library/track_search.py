"""Search of the catalog by words: the tracks whose title, artist or track_id a text names, the best match first.

Conventions
-----------
- Texts are compared in lower case and in the Unicode form NFKC: "CAFE" finds "ｃａｆｅ", but not "café".
- A place is how well a track matches: 0 if the text is its whole title; 1 if its title, artist or track_id begins with
  the text; 2 if its title or artist contains it; 3 if none does. Equally good tracks are in the order of the catalog,
  which is the same for all pages of one generation. An empty text matches every track.

Why no text index: one scan of 1,000,000 titles takes 10 to 50 ms, and an index of them would be larger than they are.
Searching all titles as one long text is the quickest where few match, and Arrow's kernel where many do. Artists are
few; each name is compared once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import SearchError
from audioae.library.columns import one_chunk
from audioae.library.generation import Generation
from audioae.library.records import Record

MAX_LIMIT = 100
NO_MATCH = 3
FEW = 2000  # matches that are found one by one


@dataclass(frozen=True, eq=False)
class FoundTrack(Record):
    """A track as a list shows it; `duplicate_of` names the track with the same bytes."""

    track_id: str
    title: str | None
    artist: str | None
    album: str | None
    label: str | None
    year: int | None
    duration_s: float | None
    uri: str
    duplicate_of: str | None


@dataclass(frozen=True)
class TrackPage:
    """Tracks that match, the best first, from `offset` on; `total` is the number of all that match."""

    tracks: list[FoundTrack]
    total: int
    offset: int


class TrackSearch:
    """The words of a catalog, ready to be searched.

    Parameters
    ----------
    tracks : pa.Table
        The dataset `tracks`.

    Why these attributes: `_bytes` are all titles in one text, `_offsets` where each begins and the last ends, shape
    (n_tracks + 1,), and `_titles` is the same as a column.
    """

    def __init__(self, tracks: pa.Table):
        self._ids = tracks["track_id"]
        titles = _folded(one_chunk(tracks["title"]))
        self._bytes = bytes(titles.buffers()[2] or b"")
        self._titles = pa.StringArray.from_buffers(len(titles), titles.buffers()[1], pa.py_buffer(self._bytes))
        self._offsets = np.frombuffer(titles.buffers()[1] or bytes(4), np.int32)[: len(titles) + 1]
        artists = pc.fill_null(one_chunk(tracks["artist"]), "").dictionary_encode()
        self._artists, self._artist_of = _folded(artists.dictionary), artists.indices.to_numpy()

    def rows(self, query: str) -> np.ndarray:
        """Catalog rows of all matching tracks, the best first, shape (n_matching,), int64."""
        text = _folded(pa.array([query]))[0].as_py()
        if not text:
            return np.arange(len(self._ids))
        by_id = NO_MATCH - 2 * pc.starts_with(self._ids, query).to_numpy().view(np.uint8)
        places = np.minimum(by_id, self._places_of_artists(text)[self._artist_of])
        places = np.minimum(places, self._places_of_titles(text))
        return np.concatenate([np.flatnonzero(places == place) for place in range(NO_MATCH)])

    def _places_of_artists(self, text: str) -> np.ndarray:
        """Shape (n_artists,), uint8: from 1."""
        return _places(pc.match_substring(self._artists, text), pc.starts_with(self._artists, text))

    def _places_of_titles(self, text: str) -> np.ndarray:
        """Shape (n_tracks,), uint8."""
        wanted, offsets = text.encode(), self._offsets
        starts = self._few_matches(wanted)
        if starts is None:
            places = _places(pc.match_substring(self._titles, text), pc.starts_with(self._titles, text))
        else:
            rows = offsets.searchsorted(starts, side="right") - 1
            places = np.full(len(self._titles), NO_MATCH, np.uint8)
            places[rows[starts + len(wanted) <= offsets[rows + 1]]] = 2  # the others reach into the next title
            places[rows[(starts == offsets[rows]) & (places[rows] == 2)]] = 1
        places[(places == 1) & (np.diff(offsets) == len(wanted))] = 0
        return places

    def _few_matches(self, wanted: bytes) -> np.ndarray | None:
        """Where a text occurs in `_bytes`, shape (n_matches,), int64; None if it occurs often."""
        starts, start = [], self._bytes.find(wanted)
        while start >= 0:
            starts.append(start)
            if len(starts) > FEW:
                return None
            start = self._bytes.find(wanted, start + 1)
        return np.array(starts, np.int64)


def search_tracks(library: Generation, search: TrackSearch, query: str, limit: int, offset: int) -> TrackPage:
    """See `Library.search_tracks`."""
    check_page(limit, offset)
    rows = search.rows(query)
    page = [_found(library.lookup.cells.row(row)) for row in rows[offset : offset + limit].tolist()]
    return TrackPage(page, len(rows), offset)


def check_page(limit: int, offset: int) -> None:
    """Raise `SearchError` unless a page of a list can have this size and begin there."""
    if not 1 <= limit <= MAX_LIMIT:
        raise SearchError(f"limit={limit}: wanted 1 to {MAX_LIMIT}")
    if offset < 0:
        raise SearchError(f"offset={offset}: wanted 0 or more")


def _found(cells: Mapping[str, object]) -> FoundTrack:
    return FoundTrack(**{name: cells[name] for name in FoundTrack.__dataclass_fields__})  # pyright: ignore


def _folded(texts: pa.StringArray) -> pa.StringArray:
    """Texts in NFKC and lower case, by the same code for the catalog and for the query; "" for null."""
    return pc.utf8_lower(pc.utf8_normalize(pc.fill_null(texts, ""), form="NFKC"))


def _places(contains: pa.BooleanArray, begins: pa.BooleanArray) -> np.ndarray:
    """1 where a text begins as wanted, 2 where it contains that, else `NO_MATCH`; uint8."""
    contain, begin = (mask.to_numpy(zero_copy_only=False).view(np.uint8) for mask in (contains, begins))
    return NO_MATCH - contain - begin
