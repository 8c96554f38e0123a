"""Filters on the rows of an index."""

import numpy as np

from audioae.errors import NoMatchError
from audioae.library.filters import Filters, matching
from audioae.library.generation import Generation


def matching_index_rows(library: Generation, filters: Filters) -> np.ndarray | None:
    """Which rows of the index pass, shape (n_index,), bool; None without filters: all.

    A row passes if its track does, or one with the same bytes.

    Raises
    ------
    NoMatchError
        If no track passes, or none that does has an embedding.
    """
    if not filters:
        return None
    passed = matching(library.columns, filters)
    rows = library.alignment.index_row[passed]
    mask = np.zeros(len(library.index), bool)
    mask[rows[rows >= 0]] = True
    if not mask.any():
        raise NoMatchError(f"{passed.sum()} tracks pass the filters, but none has an embedding (audioae coverage)")
    return mask
