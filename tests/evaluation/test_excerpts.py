"""Other excerpts as queries: parts that do not overlap, and results that are known."""

import numpy as np
import pytest

from audioae.evaluation.excerpts import EXCERPTS, measure_excerpts, split_clips

STARTS_S = np.array([0.0, 2.0, 4.0, 6.0, 8.0])


@pytest.mark.parametrize(
    ("starts_s", "excerpt", "query", "searched"),
    [
        (STARTS_S, EXCERPTS[0], [0], [2, 3, 4]),
        (STARTS_S, EXCERPTS[1], [0, 1], [3, 4]),
        ([0.0, 3.0], EXCERPTS[1], [0], [1]),
        ([0.0, 2.0], EXCERPTS[0], [0], []),
        ([0.0], EXCERPTS[1], [0], []),
    ],
)
def test_query_and_searched_part_do_not_overlap(starts_s, excerpt: str, query: list[int], searched: list[int]):
    parts = split_clips(np.array(starts_s), excerpt)
    assert [np.flatnonzero(part).tolist() for part in parts] == [query, searched]


def test_excerpts_find_tracks_whose_parts_are_alike():
    """Clips of constant codes: a track's vector is one-hot at the mean code of its clips."""

    def vectorize(tracks):
        return np.eye(8, dtype=np.float32)[[int(codes.mean()) for codes, _ in tracks]]

    def track(*codes: int):
        return np.stack([np.full((2, 2), code, np.uint8) for code in codes]), np.zeros(len(codes), np.float32)

    clips = {0: track(1, 1), 1: track(2, 3), 2: track(4)}
    starts = {0: np.array([0.0, 3.0]), 1: np.array([0.0, 3.0]), 2: np.array([0.0])}
    catalog = np.eye(8, dtype=np.float32)
    for result in measure_excerpts(clips, starts, catalog, np.array([1, 7, 4]), np.arange(3), vectorize):
        assert result.cosine.n == 2
        assert result.cosine.value == 0.5  # of (1, 0): the second track's halves differ
        assert result.self_retrieval.value == 0.5  # track 2 of the catalog is as the second track's first half
        assert result.found["mrr"].value == pytest.approx((1 + 1 / 2) / 2)
    none = measure_excerpts({2: clips[2]}, starts, catalog, np.array([4]), np.array([0]), vectorize)
    assert none == []
    assert (catalog == np.eye(8)).all()
