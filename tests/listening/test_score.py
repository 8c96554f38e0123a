"""Scores of answers whose agreement is known."""

import numpy as np
import pytest

from audioae.errors import EvaluationError
from audioae.listening import score
from tests.listening.made_answers import answers, parsed, trial

# Tracks on a circle: the smaller the distance of two numbers, the closer the tracks.
ANGLES = {f"t{i}": i / 10 for i in range(12)}
VECTORS = {name: np.array([np.cos(angle), np.sin(angle)]) for name, angle in ANGLES.items()}
OTHERS = {name: vector[::-1] * (1 if i % 2 else -1) for i, (name, vector) in enumerate(VECTORS.items())}

# x = t0: the embedding says A in each of these.
TRIALS = [trial("t0", f"t{i}", f"t{i + 1}", ("easy", "medium", "hard")[i % 3]) for i in range(1, 9)]


def agreed(choices: str) -> dict[str, dict]:
    heard = score.first_answers(parsed(answers(TRIALS, choices)))
    return {row["difficulty"]: row for row in score.agreements(heard, {"model": VECTORS})}


def test_agreement_is_the_share_of_answers_that_the_embedding_would_give():
    rows = agreed("aaabaaab")
    assert rows["all"]["value"] == 6 / 8
    assert {name: (row["n"], row["value"]) for name, row in rows.items()} == {
        "all": (8, 6 / 8),
        "easy": (2, 1.0),
        "medium": (3, 2 / 3),
        "hard": (3, 2 / 3),
    }
    assert rows["all"]["low"] < 6 / 8 < rows["all"]["high"]


def test_few_answers_do_not_tell():
    assert agreed("aaabaaab")["all"]["verdict"] == "too few answers to tell"
    row = agreed("aa")["all"]
    assert (row["value"], row["n"], row["low"], row["high"]) == (1.0, 2, None, None)
    assert row["verdict"] == "too few answers to tell"
    assert score.verdict({"low": 0.1, "high": 0.4}) == "below chance"


def test_equal_cosines_count_as_half_and_unknown_tracks_not_at_all():
    twins = {**VECTORS, "t2": VECTORS["t1"]}
    heard = score.first_answers(parsed(answers([trial("t0", "t1", "t2"), trial("t0", "t1", "gone")], "ab")))
    assert score.agreement(heard, twins).tolist() == pytest.approx([0.5, np.nan], nan_ok=True)


def test_catch_and_repeated_trials_are_no_part_of_the_agreement():
    trials = [
        trial("t0", "t1", "t5"),
        trial("t0", "t0", "t9", "catch"),
        trial("t3", "t11", "t3", "catch"),
        trial("t0", "t5", "t1", repeated=True),
        trial("t2", "t3", "t8"),
        trial("t2", "t8", "t3", repeated=True),
    ]
    (file,) = parsed(answers(trials, "abbbab", listener="Ada"))
    heard = score.first_answers([file])
    assert [tracks[0] for tracks in heard.tracks] == ["t0", "t2"]
    (row,) = score.listener_rows([file], heard, VECTORS)
    assert row.pop("listener") == "Ada"
    assert row.pop("agreement") == 1.0
    assert row == {"answers": 6, "trials": 6, "catch_failed": 1, "catch": 2, "same_again": 2, "repeated": 2}
    (torn,) = parsed(answers(trials, "abbaab"))
    found = score.consistency([torn])
    assert found is not None
    assert (found["value"], found["n"]) == (0.5, 2)
    with pytest.raises(EvaluationError, match="no answers but to catch or repeated trials"):
        score.first_answers(parsed(answers(trials, "-bbb--")))


def test_agreement_between_listeners_is_over_pairs_of_them():
    files = parsed(*(answers(TRIALS[:2], choices, session=choices) for choices in ("aa", "ab", "ba")))
    found = score.between_listeners(score.first_answers(files))
    assert found is not None
    assert (found["value"], found["n"], found["ceiling"]) == (pytest.approx(1 / 3), 2, 0.5)
    exchanged = trial("t0", "t2", "t1")  # the same triplet, with A and B exchanged
    files = parsed(answers(TRIALS[:1], "a"), answers([exchanged], "b", session="two"))
    found = score.between_listeners(score.first_answers(files))
    assert found is not None
    assert found["value"] == found["ceiling"] == 1.0
    assert score.between_listeners(score.first_answers(files[:1])) is None


def test_the_comparison_with_other_vectors_is_paired():
    files = parsed(*(answers(TRIALS, "aaaaaaaa", session=str(i)) for i in range(3)))
    heard = score.first_answers(files)
    theirs = score.agreement(heard, OTHERS)
    (row,) = score.compared(heard, {"model": VECTORS, "other": OTHERS})
    assert row["n"] == 24
    assert row["value"] == pytest.approx(1 - theirs.mean())
    assert row["agrees"] == ("more" if row["low"] > 0 else "too few answers to tell")
    (same,) = score.compared(heard, {"model": VECTORS, "twin": VECTORS})
    assert (same["value"], same["agrees"]) == (0.0, "too few answers to tell")


def test_the_ceiling_is_what_the_best_vectors_reach_with_such_listeners():
    rng, p = np.random.default_rng(0), 0.8
    trials = [trial(f"x{i}", f"a{i}", f"b{i}") for i in range(200)]
    choices = rng.choice(["a", "b"], (6, 200), p=[p, 1 - p])
    files = parsed(*(answers(trials, "".join(row), session=str(i)) for i, row in enumerate(choices)))
    found = score.between_listeners(score.first_answers(files))
    assert found is not None
    assert found["value"] == pytest.approx(p**2 + (1 - p) ** 2, abs=0.03)
    assert found["ceiling"] == pytest.approx((choices == "a").mean(), abs=0.03)


@pytest.mark.parametrize(
    ("p", "verdicts"), [(0.5, {"near chance", "too few answers to tell"}), (0.8, {"above chance"})]
)
def test_simulated_listeners_of_known_agreement(p: float, verdicts: set[str]):
    rng = np.random.default_rng(1)
    trials = [trial(f"x{i}", f"a{i}", f"b{i}") for i in range(40)]
    vectors = {f"{name}{i}": np.array([0.2 if name == "b" else 1.0, i]) for i in range(40) for name in "xab"}
    right = 0
    for _ in range(12):
        files = [answers(trials, "".join(rng.choice(["a", "b"], 40, p=[p, 1 - p])), session=str(n)) for n in range(2)]
        row = score.agreements(score.first_answers(parsed(*files)), {"model": vectors})[0]
        right += row["verdict"] in verdicts
    assert right >= 11
