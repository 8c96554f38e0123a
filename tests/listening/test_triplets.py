"""Triplets of a listening test: whom they compare, how hard they are, and that their order tells nothing."""

import numpy as np
import pytest

from audioae.errors import EvaluationError
from audioae.listening.triplets import DIFFICULTIES, draw_triplets

N = 300
RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((N, 16)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
ARTISTS = np.arange(N) // 3
RECORDINGS = np.arange(N)


def drawn(pairs: int = 60, seed: int = 0, **changes):
    given = {"artists": ARTISTS, "recordings": RECORDINGS, "durations_s": np.full(N, 30.0), **changes}
    return draw_triplets(VECTORS, **given, pairs=pairs, seed=seed)


def closer_is_a(trial) -> bool:
    return bool(VECTORS[trial.x.row] @ VECTORS[trial.a.row] > VECTORS[trial.x.row] @ VECTORS[trial.b.row])


def test_a_test_of_20_pairs_has_3_catch_trials_and_4_repeated_ones():
    trials = drawn(20)
    assert len(trials) == 27
    kinds = [trial.difficulty for trial in trials if not trial.repeated]
    assert [kinds.count(name) for name in (*DIFFICULTIES, "catch")] == [7, 7, 6, 3]
    assert sum(trial.repeated for trial in trials) == 4
    assert drawn(20) == trials
    assert drawn(20, seed=1) != trials


def test_margins_shrink_with_the_difficulty():
    margins = {name: [] for name in DIFFICULTIES}
    for trial in drawn():
        if trial.difficulty != "catch":
            x, a, b = (VECTORS[part.row] for part in (trial.x, trial.a, trial.b))
            margins[trial.difficulty].append(abs(x @ a - x @ b))
    easy, medium, hard = (float(np.mean(margins[name])) for name in DIFFICULTIES)
    assert easy > 1.5 * medium
    assert medium > 1.5 * hard


def test_candidates_are_other_recordings_by_other_artists():
    twins = RECORDINGS.copy()
    twins[N // 2 :] = twins[: N // 2]  # every track has a copy by another artist
    for trial in drawn(recordings=twins):
        x, a, b = trial.x.row, trial.a.row, trial.b.row
        assert a != b
        for other in {a, b} - ({x} if trial.difficulty == "catch" else set()):
            assert ARTISTS[other] != ARTISTS[x]
            assert twins[other] != twins[x]


def test_a_catch_trial_has_another_excerpt_of_the_same_track():
    catches = [trial for trial in drawn() if trial.difficulty == "catch"]
    assert len(catches) == 9
    for trial in catches:
        (own,) = (part for part in (trial.a, trial.b) if part.row == trial.x.row)
        assert (trial.x.start_s, own.start_s) == (8.5, 18.5)
    short = [trial for trial in drawn(durations_s=np.full(N, 6.0)) if trial.difficulty == "catch"]
    assert {start for trial in short for start in (trial.x.start_s, trial.a.start_s, trial.b.start_s)} == {
        0.0,
        3.0,
        None,
    }
    assert not [trial for trial in drawn(durations_s=np.full(N, np.nan)) if trial.difficulty == "catch"]


def test_repeated_trials_come_later_with_their_sides_exchanged():
    trials = drawn()
    for place, trial in enumerate(trials):
        if trial.repeated:
            (first,) = (i for i, one in enumerate(trials) if not one.repeated and one.x == trial.x and one.a == trial.b)
            assert first < len(trials) // 2 < place
            assert trials[first].b == trial.a


def test_neither_side_nor_place_tells_the_closer_candidate():
    trials = [trial for seed in range(10) for trial in drawn(seed=seed) if trial.difficulty != "catch"]
    sides = np.array([closer_is_a(trial) for trial in trials])
    assert abs(sides.mean() - 0.5) < 0.06  # 720 trials: two deviations are .04
    thirds = [DIFFICULTIES.index(trial.difficulty) for trial in trials]
    place = np.concatenate([np.arange(len(trials) // 10)] * 10)
    assert abs(np.corrcoef(thirds, place)[0, 1]) < 0.1


def test_a_small_catalog_draws_and_one_that_is_too_small_says_so():
    few = draw_triplets(VECTORS[:14], np.arange(14), np.arange(14), np.full(14, 9.0), 20)
    assert len(few) == 27
    with pytest.raises(EvaluationError, match="got 300 tracks, of which a query has at most 0 by other artists"):
        drawn(artists=np.zeros(N, int))
