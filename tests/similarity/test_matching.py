"""Index rows are looked up in arrays of the catalog's length: nothing of that length may be copied for it."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import audioae
from audioae.library.filters import Filters
from audioae.similarity.search import Options
from audioae.similarity.seeds import TrackSeed
from tests.stores import made_store


@pytest.mark.parametrize("keep_duplicates", [False, True])
@pytest.mark.parametrize("filters", [Filters(), Filters(label=["style 1"])])
def test_rows_are_looked_up_without_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_duplicates: bool, filters: Filters
):
    """NumPy converts the array that is searched, here 1,000,000 rows a query, if the values are of a wider type."""
    library = audioae.open(str(made_store(tmp_path, 12, same_bytes={5: 1}).root))
    library.warm()
    searched = np.searchsorted

    def of_one_type(rows: np.ndarray, values: np.ndarray, side: Literal["left", "right"] = "left"):
        assert np.asarray(values).dtype == rows.dtype
        return searched(rows, values, side)

    monkeypatch.setattr(np, "searchsorted", of_one_type)
    options = Options(filters, keep_duplicates=keep_duplicates)
    assert len(library.similar([TrackSeed("t03")], 3, options=options)) == 3
