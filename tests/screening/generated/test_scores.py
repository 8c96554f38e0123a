"""Answers on synthetic features: known differences are found, and nothing is claimed without evidence."""

import numpy as np
import pytest

from audioae.screening.generated.artifacts import EXTENT
from audioae.screening.generated.detector import N_FOLDS, Examples, VocoderDetector, folds_of, upper_limit
from audioae.screening.generated.resynthesis import REAL
from audioae.screening.generated.scores import MIN_TRACKS, can_train, score_tracks, top_features
from audioae.screening.generated.section_artifacts import FEATURE_NAMES

D = len(FEATURE_NAMES)


def make_examples(n: int = 16, shift: float = 3.0, families: tuple[str, ...] = ("a",), seed: int = 0) -> Examples:
    """n tracks of n artists; each family shifts six features of its own, and two that all families share."""
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
    """Artifacts of real tracks, which vary less than those of excerpts, and their artists."""
    features = 0.7 * np.random.default_rng(seed).standard_normal((n, D))
    extent = np.tile([seconds, bandwidth], (n, 1))
    return np.concatenate([extent, features], axis=1).astype(np.float32), np.array([f"artist {i}" for i in range(n)])


def test_finds_generated_tracks_at_the_stated_false_positive_rate():
    artifacts, group = catalog(400)
    artifacts[:8, len(EXTENT) : len(EXTENT) + 2] += 3
    artifacts[:8, len(EXTENT) + 8 : len(EXTENT) + 14] += 3
    scores = score_tracks(make_examples(families=("a", "b")), artifacts, group, 0.01)
    assert (scores.score[:8] < 0.5).mean() >= 0.75
    assert (scores.score[8:] < 0.5).mean() <= 0.02
    assert (scores.score[8:] > 0.5).mean() > 0.8
    assert scores.measured["known"] > 0.95
    assert scores.measured["false_positive_rate"] == pytest.approx(8 / 400, abs=0.015)
    assert set(scores.measured["families"]) == {"a", "b"}
    assert set(scores.measured["versions"]) == {"original", "noise"}


def test_cannot_tell_if_copies_do_not_differ():
    artifacts, group = catalog(100)
    scores = score_tracks(make_examples(shift=0.0), artifacts, group, 0.01)
    assert scores.measured["known"] == pytest.approx(0.5, abs=0.15)
    assert np.isnan(scores.score).mean() > 0.5
    assert any(reason.startswith("log odds of a decoder") for reason in scores.cannot_tell)
    assert scores.measured["abstained"] == pytest.approx(np.isnan(scores.score).mean())


def test_a_family_without_shared_features_is_missed_when_left_out():
    families = make_examples(16, families=("a", "b", "c"))
    families.features[families.family == "c", :2] = np.random.default_rng(5).standard_normal((32, 2))
    measured = score_tracks(families, *catalog(60), 0.01).measured["families"]
    assert measured["c"]["known"] > 0.9
    assert measured["c"]["left_out"] < 0.75 < measured["a"]["left_out"]


def test_reasons_why_the_check_cannot_tell():
    artifacts, group = catalog(60)
    artifacts[0, len(EXTENT) :] = np.nan
    artifacts[0, 0] = 0
    artifacts[1] = np.nan
    artifacts[2, 1] = 4_000
    artifacts[3, len(EXTENT) :] = 40 * np.sign(artifacts[3, len(EXTENT) :])
    scores = score_tracks(make_examples(), artifacts, group, 0.01)
    starts = ("0.0 s can be measured", "no sound", "no sound above 4,000 Hz; the check needs", "unlike everything")
    for row, start in enumerate(starts):
        assert scores.cannot_tell[row].startswith(start)
        assert np.isnan(scores.score[row])
    assert np.isnan(scores.score[4:]).mean() < 0.2


def test_missing_bands_count_as_the_mean():
    artifacts, group = catalog(60)
    artifacts[:30, -20:] = np.nan
    scores = score_tracks(make_examples(), artifacts, group, 0.01)
    assert np.isfinite(scores.log_odds).all()
    assert np.isfinite(scores.score[:30]).mean() > 0.8


def test_the_limit_hardly_moves_if_some_tracks_are_generated():
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


def test_a_track_is_scored_by_detectors_that_were_not_trained_on_its_artist():
    """The artist's real excerpts look decoded: only a detector trained on them takes the track for real."""
    examples = make_examples(20)
    odd = (examples.track == 0) & (examples.family == REAL)
    examples.features[odd] = examples.features[(examples.track == 1) & (examples.family == "a")]
    artifacts, group = catalog(60)
    artifacts[0, len(EXTENT) :] = examples.features[odd][0]
    trained_on_artist = VocoderDetector(examples).log_odds(artifacts[:1, len(EXTENT) :])[0]
    assert score_tracks(examples, artifacts, group, 0.01).log_odds[0] > trained_on_artist + 1


def test_top_features_are_those_that_speak_for_a_decoder():
    artifacts, group = catalog(100)
    artifacts[0, len(EXTENT) : len(EXTENT) + 2] += 4
    scores = score_tracks(make_examples(), artifacts, group, 0.01)
    rules = top_features(scores, 0, artifacts)
    assert {rule["rule"] for rule in rules} & set(FEATURE_NAMES[:2])
    assert all(rule["value"] > rule["limit"] for rule in rules if rule["rule"] in FEATURE_NAMES[:2])


def test_training_needs_enough_tracks_and_artists():
    assert can_train(make_examples(MIN_TRACKS))
    assert not can_train(make_examples(MIN_TRACKS - 1))
    one_artist = make_examples(12)
    one_artist.group[:] = "artist"
    assert not can_train(one_artist)


def test_the_same_seed_gives_the_same_answers():
    one, other = (score_tracks(make_examples(8), *catalog(30), 0.01, seed=4) for _ in range(2))
    assert np.array_equal(one.score, other.score, equal_nan=True)
    assert one.measured == other.measured
