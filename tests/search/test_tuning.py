"""The grid of search parameters, and the choice of one setting."""

import numpy as np
import pytest

from audioae.errors import SearchError
from audioae.search.tuning import parameter_grid, tune


def test_the_factory_determines_the_parameters():
    assert parameter_grid("Flat", 1000, 10, {}) == [{}]
    assert set(parameter_grid("HNSW32", 1000, 10, {})[0]) == {"ef_search"}
    assert set(parameter_grid("RR,IVF64,RaBitQ5", 1000, 10, {})[0]) == {"nprobe"}
    assert set(parameter_grid("IVF64,PQ128x4fs,Refine(SQ8)", 1000, 10, {})[0]) == {"nprobe", "k_factor"}


def test_the_grid_starts_with_the_cheapest_setting_and_ends_with_all_lists():
    grid = parameter_grid("IVF64,SQ8", 100_000, 10, {})
    assert [setting["nprobe"] for setting in grid] == sorted(setting["nprobe"] for setting in grid)
    assert grid[-1] == {"nprobe": 64}


def test_fixed_parameters_are_kept_and_unknown_ones_rejected():
    grid = parameter_grid("IVF64,PQ128x4fs,RFlat", 1000, 10, {"k_factor": 3})
    assert {setting["k_factor"] for setting in grid} == {3}
    with pytest.raises(SearchError, match="nprobe=8: HNSW32 has no such parameter"):
        parameter_grid("HNSW32", 1000, 10, {"nprobe": 8})


def test_tune_takes_the_first_sufficient_setting_or_else_the_best():
    truth = np.tile(np.array([[0.9, 0.8]], np.float32), (50, 1)), np.tile([[0, 1]], (50, 1))
    settings = [{"nprobe": 1}, {"nprobe": 2}, {"nprobe": 4}]
    answers = {1: [0, 9], 2: [0, 1], 4: [0, 1]}

    def search(setting: dict[str, int]) -> np.ndarray:
        return np.tile([answers[setting["nprobe"]]], (50, 1))

    assert tune(settings, search, truth, 0.95) == {"nprobe": 2}
    assert tune(settings[:1], search, truth, 0.95) == {"nprobe": 1}
