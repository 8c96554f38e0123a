"""Answers on made-up evidence: what is known to differ is found, what cannot be known is not claimed."""

import numpy as np
import pytest

from audioae.screening.generated.artifacts import ABOUT
from audioae.screening.generated.detector import N_FOLDS, Examples, VocoderDetector, folds_of, upper_limit
from audioae.screening.generated.resynthesis import REAL
from audioae.screening.generated.scores import MIN_TRACKS, can_learn, rules, score_tracks
from audioae.screening.generated.section_artifacts import EVIDENCE_NAMES

D = len(EVIDENCE_NAMES)


def made_up(n: int = 16, shift: float = 3.0, families: tuple[str, ...] = ("a",), seed: int = 0) -> Examples:
    """n tracks of n artists; each family moves six dimensions of its own, and two that all share."""
    rng = np.random.default_rng(seed)
    rows = []
    for track in range(n):
        for number, family in enumerate((REAL, *families)):
            for version in ("original", "noise"):
                x = rng.standard_normal(D)
                if family != REAL:
                    x[2 + 6 * number : 8 + 6 * number] += shift
                    x[:2] += shift
                rows.append((x, track, f"artist {track}", family, version))
    columns = [list(column) for column in zip(*rows, strict=True)]
    return Examples(np.array(columns[0], np.float32), np.array(columns[1]), *(np.array(c, object) for c in columns[2:]))


def catalog(n: int, seed: int = 1, seconds: float = 18.0, bandwidth: float = 16_000.0) -> tuple[np.ndarray, np.ndarray]:
    """Residues of real tracks, calmer than an excerpt's, and their artists."""
    evidence = 0.7 * np.random.default_rng(seed).standard_normal((n, D))
    head = np.tile([seconds, bandwidth], (n, 1))
    return np.concatenate([head, evidence], axis=1).astype(np.float32), np.array([f"artist {i}" for i in range(n)])


def test_what_differs_is_found_at_the_stated_rate():
    residues, group = catalog(400)
    residues[:8, len(ABOUT) : len(ABOUT) + 2] += 3
    residues[:8, len(ABOUT) + 8 : len(ABOUT) + 14] += 3
    judged = score_tracks(made_up(families=("a", "b")), residues, group, 0.01)
    assert (judged.score[:8] < 0.5).mean() >= 0.75
    assert (judged.score[8:] < 0.5).mean() <= 0.02
    assert (judged.score[8:] > 0.5).mean() > 0.8
    assert judged.measured["known"] > 0.95
    assert judged.measured["false_positive_rate"] == pytest.approx(8 / 400, abs=0.015)
    assert set(judged.measured["families"]) == {"a", "b"}
    assert set(judged.measured["versions"]) == {"original", "noise"}


def test_where_nothing_differs_no_answer_is_given():
    residues, group = catalog(100)
    judged = score_tracks(made_up(shift=0.0), residues, group, 0.01)
    assert judged.measured["known"] == pytest.approx(0.5, abs=0.15)
    assert np.isnan(judged.score).mean() > 0.5
    assert any("is between" in why for why in judged.why_not)
    assert judged.measured["abstained"] == pytest.approx(np.isnan(judged.score).mean())


def test_a_family_that_shares_nothing_is_not_caught_when_left_out():
    families = made_up(16, families=("a", "b", "c"))
    families.evidence[families.family == "c", :2] = np.random.default_rng(5).standard_normal((32, 2))
    found = score_tracks(families, *catalog(60), 0.01).measured["families"]
    assert found["c"]["known"] > 0.9
    assert found["c"]["left_out"] < 0.75 < found["a"]["left_out"]


def test_reasons_not_to_tell():
    residues, group = catalog(60)
    residues[0, len(ABOUT) :] = np.nan
    residues[0, 0] = 0
    residues[1] = np.nan
    residues[2, 1] = 4_000
    residues[3, len(ABOUT) :] = 40 * np.sign(residues[3, len(ABOUT) :])
    judged = score_tracks(made_up(), residues, group, 0.01)
    wanted = ("0.0 s of it can be judged", "no sound", "sound up to 4,000 Hz only, wanted 6,500 Hz", "unlike all")
    for row, start in enumerate(wanted):
        assert judged.why_not[row].startswith(start)
        assert np.isnan(judged.score[row])
    assert np.isnan(judged.score[4:]).mean() < 0.2


def test_bands_that_are_missing_count_as_the_mean():
    residues, group = catalog(60)
    residues[:30, -20:] = np.nan
    judged = score_tracks(made_up(), residues, group, 0.01)
    assert np.isfinite(judged.evidence).all()
    assert np.isfinite(judged.score[:30]).mean() > 0.8


def test_the_limit_withstands_some_that_are_generated():
    rng = np.random.default_rng(0)
    clean = rng.standard_normal(1000)
    assert upper_limit(clean, 0.01) == pytest.approx(2.33, abs=0.2)
    mixed = np.concatenate([clean, np.full(50, 8.0)])
    assert upper_limit(mixed, 0.01) < 2.8 < np.quantile(mixed, 0.99)
    assert upper_limit(np.array([]), 0.01) == np.inf


def test_an_artist_is_in_one_fold():
    group = np.array([f"artist {i % 7}" for i in range(30)], object)
    others = np.array(["artist 3", "new", "artist 6"], object)
    one, other = folds_of(group, 0, others)
    assert all(len(set(one[group == name].tolist())) == 1 for name in set(group))
    assert other[0] == one[3]
    assert other[2] == one[6]
    assert set(one.tolist()) == set(range(N_FOLDS))


def test_a_track_is_judged_by_detectors_that_have_not_met_its_artist():
    """The artist's own real excerpts look made: only who met them would take the track for real."""
    examples = made_up(20)
    odd = (examples.track == 0) & (examples.family == REAL)
    examples.evidence[odd] = examples.evidence[(examples.track == 1) & (examples.family == "a")]
    residues, group = catalog(60)
    residues[0, len(ABOUT) :] = examples.evidence[odd][0]
    met = VocoderDetector(examples).judge(residues[:1, len(ABOUT) :])[0]
    assert score_tracks(examples, residues, group, 0.01).evidence[0] > met + 1


def test_rules_name_what_speaks_for_a_decoder():
    residues, group = catalog(100)
    residues[0, len(ABOUT) : len(ABOUT) + 2] += 4
    judged = score_tracks(made_up(), residues, group, 0.01)
    found = rules(judged, 0, residues)
    assert {rule["rule"] for rule in found} & set(EVIDENCE_NAMES[:2])
    assert all(rule["value"] > rule["limit"] for rule in found if rule["rule"] in EVIDENCE_NAMES[:2])


def test_too_few_to_learn_from():
    assert can_learn(made_up(MIN_TRACKS))
    assert not can_learn(made_up(MIN_TRACKS - 1))
    one_artist = made_up(12)
    one_artist.group[:] = "artist"
    assert not can_learn(one_artist)


def test_same_seed_same_answers():
    one, other = (score_tracks(made_up(8), *catalog(30), 0.01, seed=4) for _ in range(2))
    assert np.array_equal(one.score, other.score, equal_nan=True)
    assert one.measured == other.measured
