"""The codebook of a generation's model: how often each code is used, which clips have it, what it sounds like.

Conventions
-----------
- Codes are counted over a sample of clips if mels of the training are stored, else over all tracks: `of` says which.
  A track's code is that of its place (`latent_facts.place_of`), the mean of its clips, so tracks use fewer codes.
- The share of a code is its part of the clips, or tracks; the shares of a book add up to 1.
"""

from typing import Any

import numpy as np

from audioae.errors import NoCodebookError
from audioae.explore.codes import Codes, Kind, check_book, open_codes, stores_mels
from audioae.explore.decoding import decode_one_code
from audioae.library.generation import Generation


def codes_of(library: Generation, of: Kind | None = None) -> Codes:
    """The codes that are counted; default: of clips if their mels are stored.

    Raises
    ------
    NoCodebookError
        If the model has no codebook, or its clips are wanted and the mels of its training are not stored.
    ModelError, StoreError
        If they cannot be computed.
    """
    check_book(library)
    has_clips = stores_mels(library)
    if of == "clips" and not has_clips:
        raise NoCodebookError(f"{library.model_ref}: the mels of its training are not stored; ask for `of` tracks")
    return open_codes(library, of or ("clips" if has_clips else "tracks"))


def usage(library: Generation, of: Kind | None = None) -> dict[str, Any]:
    """How often each code is used.

    Returns
    -------
    dict
        `of`, `n` (clips or tracks that are counted), `books`, `codebook_size`, and `codes`: book, code, n and share of
        each, book by book. Raises as `codes_of`.
    """
    found = codes_of(library, of)
    n_books, size = found.counts.shape
    n = int(found.counts[0].sum())
    books, codes, counts = *np.indices((n_books, size)).reshape(2, -1).tolist(), found.counts.ravel().tolist()
    rows = [
        {"book": book, "code": code, "n": count, "share": count / max(n, 1)}
        for book, code, count in zip(books, codes, counts, strict=True)
    ]
    return {"of": found.of, "n": n, "books": n_books, "codebook_size": size, "codes": rows}


def describe_code(library: Generation, book: int, code: int, k: int = 12, of: Kind | None = None) -> dict[str, Any]:
    """One code: its use, the clips (or tracks) nearest to it, and its mel.

    Parameters
    ----------
    library : Generation
    book, code : int
    k : int
        How many clips at most.
    of : str, optional
        "clips" or "tracks"; default as for `codes_of`.

    Returns
    -------
    dict
        `of`, `n`, `share`, `clips` (track_id, clip, start_s, distance; the nearest first; of tracks, clip and start_s
        are None), `mel` with the code and `mean_mel` without it, (128, 130), uint8: `model.latent_space.decode_code`.

    Raises
    ------
    NoCodebookError
        If the model has no such code.
    ModelError, StoreError
        If the codes cannot be computed, or not decoded.
    """
    check_book(library, book, code)
    found = codes_of(library, of)
    nearest = found.nearest(book, code, k)
    distances = found.distances[book][nearest].astype(float).tolist()
    clips = [
        {**row, "distance": distance} for row, distance in zip(_rows(library, found, nearest), distances, strict=True)
    ]
    mel, mean_mel = decode_one_code(library, found.counts, book, code)
    n = int(found.counts[book, code])
    share = n / max(int(found.counts[book].sum()), 1)
    return {"of": found.of, "n": n, "share": share, "clips": clips, "mel": mel, "mean_mel": mean_mel}


def _rows(library: Generation, codes: Codes, places: np.ndarray) -> list[dict[str, Any]]:
    if codes.clips is not None:
        return codes.clips.take(places).to_pylist()
    catalog_rows = library.alignment.catalog_row[places]
    ids = library.columns.tracks["track_id"].take(catalog_rows).to_pylist()
    return [{"track_id": track_id, "clip": None, "start_s": None} for track_id in ids]
