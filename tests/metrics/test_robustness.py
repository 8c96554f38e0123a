"""Cosines and self-retrieval of perturbed tracks, on vectors with known results."""

import numpy as np
import pytest

from audioae.errors import EvaluationError
from audioae.metrics.metric import difference
from audioae.metrics.robustness import SAME_TRACK_CAVEAT, PerturbationResult, measure, same_track


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def rotated(vectors: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Rotate each vector towards the last dimension (0 so far) to the given cosine with itself."""
    sines = np.sqrt(1 - np.asarray(cosines) ** 2)
    result = vectors * np.asarray(cosines)[:, None]
    result[:, -1] = sines
    return result.astype(np.float32)


@pytest.fixture
def catalog() -> np.ndarray:
    """40 tracks; the last dimension is 0."""
    return unit(np.c_[np.random.default_rng(0).standard_normal((40, 16)), np.zeros(40)])


def measured(perturbed: np.ndarray, catalog: np.ndarray, rows: np.ndarray, name: str = "mp3") -> PerturbationResult:
    return measure(name, perturbed, catalog[rows], catalog, rows, np.arange(len(rows)))


def test_unchanged_tracks_score_1(catalog):
    rows = np.arange(0, 40, 5)
    row = measured(catalog[rows], catalog, rows).row()
    assert row.pop("perturbation") == "mp3"
    assert row.pop("n") == 8
    unknown = {name: row.pop(name) for name in list(row) if name.startswith("recall_100")}
    assert set(unknown.values()) == {None}, "among 40 tracks, every track is one of the 100 nearest"
    lows = {name: row.pop(name) for name in list(row) if name.endswith("_low") and not name.startswith("cosine")}
    assert all(0.5 < low < 0.7 for low in lows.values()), "8 of 8 tracks do not prove that all would be found"
    assert row == {name: pytest.approx(1.0) for name in row}
    row |= lows | unknown
    assert set(row) == {
        *("cosine_mean", "cosine_low", "cosine_high", "cosine_min", "share_99"),
        *("self_retrieval", "self_low", "self_high", "mrr", "mrr_low", "mrr_high"),
        *("recall_10", "recall_10_low", "recall_10_high", "recall_100", "recall_100_low", "recall_100_high"),
    }


def test_cosines_are_to_the_original(catalog):
    rows = np.array([3, 9, 20, 31, 4, 10, 21, 32])
    result = measured(rotated(catalog[rows], np.array(2 * [1.0, 0.995, 0.98, 0.9])), catalog, rows)
    assert result.cosine.value == pytest.approx((1.0 + 0.995 + 0.98 + 0.9) / 4, abs=1e-6)
    assert result.cosine_min == pytest.approx(0.9, abs=1e-6)
    assert result.share_near == 0.5
    low, high = result.row()["cosine_low"], result.row()["cosine_high"]
    assert 0.9 <= low < result.cosine.value < high < 1.0
    assert result.self_retrieval.value == 1.0


def test_does_not_find_a_track_that_became_another_one(catalog):
    rows = np.array([0, 1, 2, 3])
    result = measured(catalog[[0, 1, 2, 30]], catalog, rows)
    assert result.self_retrieval.value == 0.75
    assert result.self_retrieval.columns[:, 0].tolist() == [1, 1, 1, 0]
    assert result.row()["self_low"] is None, "4 tracks are too few"


def test_exact_duplicates_count_as_found_and_near_duplicates_do_not(catalog):
    twins = np.concatenate([catalog[5:6], catalog, catalog[5:6]])
    rows = np.array([6, 7])  # row 6 is catalog[5], whose copies are first and last
    assert measured(rotated(twins[rows], np.array([0.9, 0.9])), twins, rows).self_retrieval.value == 1.0
    near = twins.copy()
    near[0] = rotated(twins[6:7], np.array([0.95]))
    assert measured(rotated(near[rows], np.array([0.9, 0.9])), near, rows).self_retrieval.value == 0.5


def test_excludes_tracks_without_a_perturbed_version_and_keeps_samples_comparable(catalog):
    rows = np.arange(12)
    better, worse = rotated(catalog[rows], np.full(12, 0.99)), rotated(catalog[rows], np.full(12, 0.9))
    better[4] = worse[4] = np.nan
    a, b = measured(better, catalog, rows), measured(worse, catalog, rows)
    assert a.cosine.n == b.cosine.n == 11
    assert a.row()["n"] == 11
    gap = difference(a.cosine, b.cosine)
    assert gap.value == pytest.approx(0.09, abs=1e-6)
    assert gap.real


def test_intervals_are_over_groups(catalog):
    rows = np.arange(20)
    perturbed = rotated(catalog[rows], np.repeat([0.99, 0.8], 10))
    alone = measure("eq", perturbed, catalog[rows], catalog, rows, np.arange(20))
    together = measure("eq", perturbed, catalog[rows], catalog, rows, np.repeat(np.arange(6), [4, 4, 2, 4, 4, 2]))
    widths = [one.row()["cosine_high"] - one.row()["cosine_low"] for one in (alone, together)]
    assert widths[1] > 2 * widths[0]


def test_same_track_retrieval_averages_over_the_versions_of_each_track(catalog):
    rows = np.arange(4)
    missing = catalog[rows].copy()
    missing[3] = np.nan
    result = same_track(
        [
            measured(catalog[rows], catalog, rows, "mp3"),
            measured(catalog[[0, 1, 30, 31]], catalog, rows, "gain"),
            measured(missing, catalog, rows, "noise"),
        ]
    )
    by_key = {metric.key: metric.value for metric in result}
    assert by_key["same-track retrieval"] == pytest.approx((1 + 1 + 2 / 3 + 1 / 2) / 4)
    assert list(by_key) == [f"same-track retrieval{name}" for name in ("", ", MRR", ", recall@10")]
    assert by_key["same-track retrieval"] < by_key["same-track retrieval, MRR"] < 1
    assert "do not tune" in SAME_TRACK_CAVEAT


def test_same_track_retrieval_needs_one_sample(catalog):
    few, many = (measured(catalog[:n], catalog, np.arange(n), f"of {n}") for n in (3, 4))
    with pytest.raises(EvaluationError, match="of 3: 3 tracks, of 4: 4 tracks; wanted results of one sample"):
        same_track([few, many])
    with pytest.raises(EvaluationError, match="got no results"):
        same_track([])


def test_refuses_bad_input(catalog):
    rows = np.arange(3)
    good = catalog[rows]
    with pytest.raises(EvaluationError, match=r"mp3: got perturbed \(2, 17\)"):
        measured(catalog[:2], catalog, rows)
    with pytest.raises(EvaluationError, match="mp3: none of 3 tracks has this version"):
        measured(np.full_like(good, np.nan), catalog, rows)
    with pytest.raises(EvaluationError, match="got rows 0 to 40, wanted 0 to 39"):
        measure("mp3", good, good, catalog, np.array([0, 1, 40]), rows)
    with pytest.raises(EvaluationError, match="3 of 3 perturbed vectors are not of length 1"):
        measured(2 * good, catalog, rows)
    holed = good.copy()
    holed[1, 0] = np.nan
    with pytest.raises(EvaluationError, match="1 of 3 perturbed vectors"):
        measured(holed, catalog, rows)
    with pytest.raises(EvaluationError, match="1 of 40 catalog vectors"):
        measure("mp3", good, good, np.r_[catalog[:39], 0 * catalog[:1]], rows, rows)
    with pytest.raises(EvaluationError, match="2 groups for 3 tracks"):
        measure("mp3", good, good, catalog, rows, np.arange(2))
