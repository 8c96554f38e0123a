"""Tracks by what people write: some words of a title and an artist, or both in full.

Conventions
-----------
- Words are separated by spaces; each must be in the title or the artist, or begin the track_id (`library.track_search`
  says how). Tracks that match the text as a whole come first, the others in the order of the catalog.
- A title and an artist in full are compared without case.
"""

import numpy as np

from audioae.errors import UnknownTrackError
from audioae.library.generation import Generation
from audioae.library.track_search import TrackSearch

MAX_WORDS = 16


def rows_with_words(search: TrackSearch, n_tracks: int, text: str) -> np.ndarray:
    """Catalog rows of tracks that match, the best first, shape (n_matching,), int64.

    Parameters
    ----------
    search : TrackSearch
    n_tracks : int
        The size of the catalog.
    text : str
        Of more than `MAX_WORDS` words the first ones count.
    """
    words = list(dict.fromkeys(text.split()))[:MAX_WORDS]
    best = search.rows(words[0] if len(words) == 1 else text.strip())
    if len(words) < 2:
        return best
    n_found = np.zeros(n_tracks, np.uint8)
    for word in words:
        n_found[search.rows(word)] += 1
    n_found[best] = 0
    return np.concatenate([best, np.flatnonzero(n_found == len(words))])


def row_titled(library: Generation, title: str, artist: str, *, among: np.ndarray | None = None) -> int:
    """The first catalog row with this title and artist.

    Parameters
    ----------
    library : Generation
    title, artist : str
    among : np.ndarray, shape (n_tracks,), bool, optional
        Catalog rows.

    Raises
    ------
    UnknownTrackError
        If there is none.
    """
    spellings = library.columns.vocabularies["artist"].codes_of(artist)
    codes, titles = library.columns.codes["artist"], library.lookup.cells.texts["title"]
    rows = np.flatnonzero((codes >= spellings.start) & (codes < spellings.stop))
    for row in rows.tolist() if among is None else rows[among[rows]].tolist():
        if (titles[row] or "").casefold() == title.casefold():
            return row
    raise UnknownTrackError(f"no track {title!r} by {artist!r}; search for its ID first")
