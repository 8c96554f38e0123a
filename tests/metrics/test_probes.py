"""Probes against scikit-learn's own figures, who is fitted on whom, and what cannot be probed."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audioae.library.track_metadata import Target, TrackMetadata, check_vectors, make_metadata
from audioae.metrics import probes
from audioae.metrics.metric import Metric, MetricSet
from audioae.metrics.probes import ALPHAS, MIN_TARGETS, label_predictions, measure

pytestmark = pytest.mark.filterwarnings("error")


def spread(n: int, seed: int = 0, d: int = 16) -> np.ndarray:
    return check_vectors(np.random.default_rng(seed).standard_normal((n, d)), np.arange(n), "made")


def facts_of(n: int, **columns) -> TrackMetadata:
    return make_metadata([f"t{i}" for i in range(n)], **columns)


def clusters(n: int, n_labels: int) -> tuple[np.ndarray, list[str]]:
    labels = np.arange(n) % n_labels
    return check_vectors(np.eye(4)[labels] + 0.05 * spread(n, 1, 4), np.arange(n), "made"), [f"l{i}" for i in labels]


def told(answer: MetricSet) -> tuple[Metric, ...]:
    """The metrics, after a look that none is made up."""
    for metric in answer.metrics:
        low, high = metric.interval
        assert np.isfinite([metric.value, low, high]).all(), metric.key
        assert metric.n > 0, metric.key
        assert low - 1e-9 <= metric.value <= high + 1e-9, metric.key
    return answer.metrics


@pytest.fixture
def fits(monkeypatch) -> list[tuple[list[int], list[int]]]:
    """Rows that each model was fitted on and asked for; the rows stand in the first dimension."""
    seen = []

    class Recorder:
        def fit(self, vectors, values):
            self.fitted, self.answer = vectors[:, 0].astype(int).tolist(), values[0]
            return self

        def predict(self, vectors):
            seen.append((self.fitted, vectors[:, 0].astype(int).tolist()))
            return np.repeat(self.answer, len(vectors))

    monkeypatch.setattr(probes, "make_pipeline", lambda scaler, model: model)
    monkeypatch.setattr(probes, "_classifier", lambda vectors, labels: Recorder())
    monkeypatch.setattr(probes, "RidgeCV", lambda alphas: Recorder())
    return seen


def numbered(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.float32)[:, None]


def test_what_is_in_the_vectors_is_read_and_what_is_not_is_not():
    vectors, labels = clusters(60, 4)
    weights = np.random.default_rng(2).standard_normal(4)
    targets = {"in": Target(vectors @ weights, "truth.csv"), "out": Target(spread(60, 3)[:, 0], "chance")}
    probe, read, unread = told(measure(vectors, facts_of(60, labels=labels, targets=targets)))
    assert (probe.key, probe.value, probe.n) == ("linear probe (5 stratified folds)", 1.0, 60)
    assert (read.key, unread.key) == ("R2 of in (truth.csv)", "R2 of out (chance)")
    assert read.value > 0.95
    assert unread.value < 0.1
    (chance,) = told(measure(spread(120, 4), facts_of(120, labels=[f"l{i % 4}" for i in range(120)])))
    assert 0.1 < chance.value < 0.42


@pytest.mark.parametrize("artists", [None, [f"a{i // 3}" for i in range(90)]])
def test_r2_is_that_of_sklearn(artists):
    vectors = spread(90, 5)
    values = vectors[:, 0] + 0.1 * np.random.default_rng(6).standard_normal(90)
    metadata = facts_of(90, artists=artists, targets={"energy": Target(values, "truth.csv")})
    (metric,) = told(MetricSet(tuple(m for m in measure(vectors, metadata).metrics if m.key.startswith("R2"))))
    splits = list(GroupKFold(5, shuffle=True, random_state=0).split(vectors, groups=metadata.groups))
    model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
    assert metric.value == pytest.approx(r2_score(values, cross_val_predict(model, vectors, values, cv=splits)))
    assert 0.2 < metric.value < 1


def test_a_model_that_only_hears_the_artist_is_at_chance():
    """Every artist is a direction of its own: nothing can be known of one who was not fitted on."""
    artists = np.repeat(np.arange(40), 3)
    heard, labels = np.eye(40, dtype=np.float32)[artists], [f"l{a % 4}" for a in artists]
    (split,) = told(measure(heard, facts_of(120, labels=labels)))
    (whole,) = told(measure(heard, facts_of(120, labels=labels, artists=[f"a{a}" for a in artists])))
    assert split.value == 1.0
    assert whole.key == "linear probe (5 stratified folds, grouped by artist)"
    assert whole.value < 0.4


@pytest.mark.parametrize("n_artists", [2, 3, 5, 13])
def test_no_artist_is_on_both_sides(fits, n_artists):
    artists = np.random.default_rng(7).integers(n_artists, size=80)
    targets = {"tempo": Target(np.arange(80.0), "truth.csv")}
    metadata = facts_of(80, labels=["a", "b"] * 40, artists=[f"x{a}" for a in artists], targets=targets)
    measure(numbered(80), metadata)
    asked = [row for _, held in fits for row in held]
    assert sorted(asked) == sorted([*range(80), *range(80)]), "every track once by label, once by number"
    for fitted, held in fits:
        assert not set(artists[fitted]) & set(artists[held])


def test_tracks_without_artist_are_folded_one_by_one(fits):
    measure(numbered(50), facts_of(50, labels=["a", "b"] * 25, artists=["x"] * 50))
    assert [len(held) for _, held in fits] == [10] * 5


def test_folds_as_given_are_used_as_given(fits):
    folds = np.array(["2", "1", "3"] * 20)
    artists = ["same", "other"] * 30
    predicted, how = label_predictions(
        numbered(60), facts_of(60, labels=["a", "b"] * 30, artists=artists, folds=folds.tolist())
    )
    assert how == "3 folds as given"
    assert (np.asarray(predicted) != "").all()
    assert [held for _, held in fits] == [np.flatnonzero(folds == name).tolist() for name in "123"]
    assert [sorted(fitted + held) for fitted, held in fits] == [list(range(60))] * 3


def test_folds_of_some_tracks_or_of_one_name_are_no_folds():
    vectors, labels = clusters(40, 2)
    for folds in (["1", "2"] * 15 + [None] * 10, ["train"] * 40):
        _, how = label_predictions(vectors, facts_of(40, labels=labels, folds=folds))
        assert how == "5 stratified folds"
    _, how = label_predictions(
        vectors, facts_of(40, labels=[*labels[:30], *[None] * 10], folds=["1", "2"] * 15 + [""] * 10)
    )
    assert how == "2 folds as given", "of the tracks that have a label"


def test_predictions_stand_at_their_tracks_and_are_empty_where_nothing_is_known():
    vectors, labels = clusters(40, 2)
    predicted, _ = label_predictions(vectors, facts_of(40, labels=[*[None] * 4, *labels[4:]]))
    assert list(predicted) == [*[""] * 4, *labels[4:]]


def test_no_labels_one_label_or_none_twice_is_said():
    for labels, why in (
        (None, "0 different labels known, at least 2 are needed"),
        (["rock"] * 20, "1 different labels known, at least 2 are needed"),
        ([f"l{i}" for i in range(20)], "fewer than 2 labels have two tracks"),
        (["a"] * 19 + ["b"], "fewer than 2 labels have two tracks"),
    ):
        metadata = facts_of(20, labels=labels)
        assert label_predictions(spread(20), metadata) == why
        assert measure(spread(20), metadata) == MetricSet(omitted=(f"linear probe: {why}",))


def test_a_label_that_was_never_fitted_on_has_no_say():
    vectors, labels = clusters(40, 2)
    answer = measure(vectors, facts_of(40, labels=[*labels[:38], "c", "d"]))
    (metric,) = told(answer)
    assert (metric.value, metric.n) == (1.0, 38)
    assert "2 tracks cannot be named" in answer.omitted[0]
    folds = ["1"] * 10 + ["2"] * 10 + ["3"] * 20
    given = measure(vectors, facts_of(40, labels=[*labels[:20], *["c"] * 10, *labels[30:]], folds=folds))
    assert told(given)[0].n == 30
    assert "linear probe (3 folds as given): 10 tracks cannot be named" in given.omitted[0]


def test_a_probe_that_no_fold_allows_is_said_and_not_nan():
    """Each fold, or each artist, has a label of its own."""
    labels, split = ["a"] * 20 + ["b"] * 20, ["x"] * 20 + ["y"] * 20
    for columns, how in (({"folds": split}, "2 folds as given"), ({"artists": split}, "2 stratified folds, grouped")):
        answer = measure(spread(40), facts_of(40, labels=labels, **columns))
        assert answer.metrics == ()
        assert answer.omitted[0].startswith(f"linear probe ({how}")
        assert "40 tracks cannot be named" in answer.omitted[0]


def test_a_label_that_dominates_leaves_an_interval_of_real_numbers():
    for rare in (2, 3, 4):
        labels = ["a"] * (60 - rare) + ["b"] * rare
        for artists in (None, [f"x{i // 3}" for i in range(60)], [f"x{i % 7}" for i in range(60)], ["x"] * 60):
            told(measure(spread(60), facts_of(60, labels=labels, artists=artists)))


def test_few_or_equal_or_unknown_numbers_are_said():
    few, equal, no = np.full(40, np.nan), np.full(40, 3.0), np.full(40, np.nan)
    few[: MIN_TARGETS - 1] = np.arange(MIN_TARGETS - 1)
    few[-1] = np.inf
    targets = {name: Target(values, "t") for name, values in {"few": few, "equal": equal, "no": no}.items()}
    answer = measure(spread(40), facts_of(40, targets=targets))
    assert answer.metrics == ()
    assert answer.omitted[1:] == (
        "R2 of few: 29 values known, 30 are needed",
        "R2 of equal: all are equal",
        "R2 of no: 0 values known, 30 are needed",
    )


def test_numbers_that_are_not_known_take_no_part():
    vectors = spread(60, 8)
    values = np.where(np.arange(60) < 45, vectors[:, 0], np.nan)
    (some,) = told(measure(vectors, facts_of(60, targets={"x": Target(values, "t")})))
    (only,) = told(measure(vectors[:45], facts_of(45, targets={"x": Target(values[:45], "t")})))
    assert some.n == 45
    assert not some.columns[45:].any()
    assert some.value > 0.5
    assert only.value > 0.5


def test_collapsed_vectors_give_figures_and_no_nan():
    same = np.full((40, 8), 8**-0.5, np.float32)
    targets = {"x": Target(np.arange(40.0), "t")}
    probe, r2 = told(measure(same, facts_of(40, labels=["a", "b"] * 20, targets=targets)))
    assert probe.value <= 0.6
    assert r2.value <= 0


@pytest.mark.parametrize("artists", [None, [f"a{i // 4}" for i in range(176)]])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_catalog_in_128_dimensions_is_probed_without_a_warning(artists, kind):
    metadata = facts_of(
        176,
        labels=[f"l{i % 12}" for i in range(176)],
        artists=artists,
        targets={"x": Target(np.random.default_rng(9).standard_normal(176).astype(kind), "t")},
    )
    assert len(told(measure(spread(176, 10, 128).astype(kind), metadata))) == 2


@pytest.mark.parametrize("artists", [None, [f"a{i // 3}" for i in range(60)], [f"a{i % 5}" for i in range(60)]])
@pytest.mark.parametrize("largest", [2, 3, 9])
def test_labels_of_one_or_two_tracks_are_probed_without_a_warning(artists, largest):
    labels = [f"l{i % 40}" for i in range(60)]
    labels[:largest] = ["l0"] * largest
    told(measure(spread(60, 11, 128), facts_of(60, labels=labels, artists=artists)))
