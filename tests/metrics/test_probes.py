"""Probes against scikit-learn, the folds they use, and catalogs that cannot be probed."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audioae.library.track_metadata import Target, TrackMetadata, check_vectors, make_metadata
from audioae.metrics import probes
from audioae.metrics.metric import Metric, MetricSet
from audioae.metrics.probes import ALPHAS, MIN_TARGETS, label_predictions, measure

pytestmark = pytest.mark.filterwarnings("error")


def random_vectors(n: int, seed: int = 0, d: int = 16) -> np.ndarray:
    return check_vectors(np.random.default_rng(seed).standard_normal((n, d)), np.arange(n), "made")


def metadata_of(n: int, **columns) -> TrackMetadata:
    return make_metadata([f"t{i}" for i in range(n)], **columns)


def clusters(n: int, n_labels: int) -> tuple[np.ndarray, list[str]]:
    labels = np.arange(n) % n_labels
    return check_vectors(np.eye(4)[labels] + 0.05 * random_vectors(n, 1, 4), np.arange(n), "made"), [
        f"l{i}" for i in labels
    ]


def checked(result: MetricSet) -> tuple[Metric, ...]:
    """The metrics, after checking that all values and intervals are finite and consistent."""
    for metric in result.metrics:
        if metric.interval is None:
            assert "too few" in str(metric.note), metric.key
            continue
        low, high = metric.interval
        assert np.isfinite([metric.value, low, high]).all(), metric.key
        assert metric.n > 0, metric.key
        assert low - 1e-9 <= metric.value <= high + 1e-9, metric.key
    return result.metrics


@pytest.fixture
def fits(monkeypatch) -> list[tuple[list[int], list[int]]]:
    """Training and test rows of each model. The vectors hold their row number in the first dimension."""
    seen = []

    class Recorder:
        def fit(self, vectors, values):
            self.fitted, self.answer = vectors[:, 0].astype(int).tolist(), values[0]
            return self

        def predict(self, vectors):
            seen.append((self.fitted, vectors[:, 0].astype(int).tolist()))
            return np.repeat(self.answer, len(vectors))

    monkeypatch.setattr(probes, "make_pipeline", lambda scaler, model: model)
    monkeypatch.setattr(probes, "_classifier", lambda labels: Recorder())
    monkeypatch.setattr(probes, "RidgeCV", lambda alphas: Recorder())
    return seen


def numbered(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.float32)[:, None]


def test_predicts_what_the_vectors_contain_and_nothing_else():
    vectors, labels = clusters(60, 4)
    weights = np.random.default_rng(2).standard_normal(4)
    targets = {"in": Target(vectors @ weights, "truth.csv"), "out": Target(random_vectors(60, 3)[:, 0], "chance")}
    by_key = {
        metric.key: metric for metric in checked(measure(vectors, metadata_of(60, labels=labels, targets=targets)))
    }
    probe, contained, _, absent, _ = by_key.values()
    assert (probe.key, probe.value, probe.n) == ("linear probe (5 stratified folds)", 1.0, 60)
    assert (contained.key, absent.key) == ("R2 of in (truth.csv)", "R2 of out (chance)")
    assert contained.value > 0.95
    assert absent.value < 0.1
    (chance,) = checked(measure(random_vectors(120, 4), metadata_of(120, labels=[f"l{i % 4}" for i in range(120)])))
    assert 0.1 < chance.value < 0.42


@pytest.mark.parametrize("artists", [None, [f"a{i // 3}" for i in range(90)]])
def test_r2_equals_sklearn(artists):
    vectors = random_vectors(90, 5)
    values = vectors[:, 0] + 0.1 * np.random.default_rng(6).standard_normal(90)
    metadata = metadata_of(90, artists=artists, targets={"energy": Target(values, "truth.csv")})
    (metric,) = checked(measure(vectors, metadata))
    splits = list(GroupKFold(5, shuffle=True, random_state=0).split(vectors, groups=metadata.groups))
    model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
    assert metric.value == pytest.approx(r2_score(values, cross_val_predict(model, vectors, values, cv=splits)))
    assert 0.2 < metric.value < 1


def test_within_labels_only_what_the_label_does_not_tell_counts():
    """One number is the label's, and the vectors have the label; the other varies within labels, and they have it."""
    rng, label = np.random.default_rng(12), np.arange(120) % 4
    inside = rng.standard_normal(120)
    vectors = np.column_stack([5 * np.eye(4)[label], inside])
    targets = {
        "of label": Target(label + 0.1 * rng.standard_normal(120), "t"),
        "inside": Target(label + inside, "t"),
    }
    metadata = metadata_of(120, labels=[f"l{i}" for i in label], targets=targets)
    by_key = {metric.key: metric for metric in checked(measure(vectors, metadata))}
    assert by_key["R2 of of label (t)"].value > 0.95
    assert by_key["R2 of of label, within labels (t)"].value < 0.1
    assert by_key["R2 of inside, within labels (t)"].value > 0.9


@pytest.mark.parametrize("artists", [None, [f"a{i // 4}" for i in range(160)]])
def test_auroc_equals_sklearn(artists):
    vectors = random_vectors(160, 13)
    truth = (vectors[:, 0] + 0.2 * np.random.default_rng(14).standard_normal(160) > 0).astype(float)
    metadata = metadata_of(160, artists=artists, targets={"sung": Target(truth, "t")})
    r2, area = checked(measure(vectors, metadata))
    assert (r2.key, area.key, area.n) == ("R2 of sung (t)", "AUROC of sung (t)", 160)
    scores = np.empty(160)
    for train, test in probes.target_folds(metadata.groups):
        model = probes._classifier(truth[train] > 0).fit(vectors[train], truth[train] > 0)
        scores[test] = model.decision_function(vectors[test])
    assert area.value == pytest.approx(roc_auc_score(truth, scores))
    assert 0.7 < area.value < 1


def test_auroc_counts_ties_as_half_and_its_spread_is_that_of_both_classes():
    rng, positive = np.random.default_rng(15), np.arange(200) % 2 == 0
    scores = np.round(rng.standard_normal(200) + positive, 1)
    columns = probes._placements(scores, positive)
    area = roc_auc_score(positive, scores)
    assert columns[:, 0].sum() / 100 == pytest.approx(area)
    assert columns[:, 2].sum() / 100 == pytest.approx(area)
    drawn = rng.integers(200, size=(150, 200))
    linear = [float(probes.auroc(columns[rows].sum(axis=0), area)) for rows in drawn]
    exact = [roc_auc_score(positive[rows], scores[rows]) for rows in drawn]
    assert np.std(linear) == pytest.approx(np.std(exact), rel=0.1)


def test_one_artist_with_all_ones_allows_no_auroc():
    metadata = metadata_of(
        60, artists=[f"a{i // 6}" for i in range(60)], targets={"sung": Target((np.arange(60) < 6).astype(float), "t")}
    )
    result = measure(random_vectors(60), metadata)
    assert [metric.key for metric in result.metrics] == ["R2 of sung (t)"]
    assert "AUROC of sung (t): all tracks of one value are by one group of artists" in result.omitted


def test_vectors_that_only_encode_the_artist_score_at_chance():
    """Every artist has an orthogonal direction, so nothing is known about an artist outside training."""
    artists = np.repeat(np.arange(40), 3)
    vectors, labels = np.eye(40, dtype=np.float32)[artists], [f"l{a % 4}" for a in artists]
    (ungrouped,) = checked(measure(vectors, metadata_of(120, labels=labels)))
    (grouped,) = checked(measure(vectors, metadata_of(120, labels=labels, artists=[f"a{a}" for a in artists])))
    assert ungrouped.value == 1.0
    assert grouped.key == "linear probe (5 stratified folds, grouped by artist)"
    assert grouped.value < 0.4


@pytest.mark.parametrize("n_artists", [2, 3, 5, 13])
def test_no_artist_is_in_both_training_and_test(fits, n_artists):
    artists = np.random.default_rng(7).integers(n_artists, size=80)
    targets = {"tempo": Target(np.arange(80.0), "truth.csv")}
    metadata = metadata_of(80, labels=["a", "b"] * 40, artists=[f"x{a}" for a in artists], targets=targets)
    measure(numbered(80), metadata)
    tested = [row for _, test in fits for row in test]
    assert sorted(tested) == sorted([*range(80), *range(80)]), "every track once for the label, once for the number"
    for train, test in fits:
        assert not set(artists[train]) & set(artists[test])


def test_one_artist_for_all_tracks_gives_folds_of_single_tracks(fits):
    measure(numbered(50), metadata_of(50, labels=["a", "b"] * 25, artists=["x"] * 50))
    assert [len(test) for _, test in fits] == [10] * 5


def test_uses_the_folds_of_the_catalog(fits):
    folds = np.array(["2", "1", "3"] * 20)
    artists = ["same", "other"] * 30
    predicted, how = label_predictions(
        numbered(60), metadata_of(60, labels=["a", "b"] * 30, artists=artists, folds=folds.tolist())
    )
    assert how == "3 folds of the catalog"
    assert (np.asarray(predicted) != "").all()
    assert [test for _, test in fits] == [np.flatnonzero(folds == name).tolist() for name in "123"]
    assert [sorted(train + test) for train, test in fits] == [list(range(60))] * 3


def test_ignores_incomplete_folds_and_a_single_fold():
    vectors, labels = clusters(40, 2)
    for folds in (["1", "2"] * 15 + [None] * 10, ["train"] * 40):
        _, how = label_predictions(vectors, metadata_of(40, labels=labels, folds=folds))
        assert how == "5 stratified folds"
    _, how = label_predictions(
        vectors, metadata_of(40, labels=[*labels[:30], *[None] * 10], folds=["1", "2"] * 15 + [""] * 10)
    )
    assert how == "2 folds of the catalog", "complete for the labeled tracks"


def test_predictions_are_empty_for_tracks_without_a_label():
    vectors, labels = clusters(40, 2)
    predicted, _ = label_predictions(vectors, metadata_of(40, labels=[*[None] * 4, *labels[4:]]))
    assert list(predicted) == [*[""] * 4, *labels[4:]]


def test_reports_too_few_labels():
    for labels, why in (
        (None, "known labels: 0, at least 2 are needed"),
        (["rock"] * 20, "known labels: 1, at least 2 are needed"),
        ([f"l{i}" for i in range(20)], "fewer than 2 labels have at least 2 tracks"),
        (["a"] * 19 + ["b"], "fewer than 2 labels have at least 2 tracks"),
    ):
        metadata = metadata_of(20, labels=labels)
        assert label_predictions(random_vectors(20), metadata) == why
        assert measure(random_vectors(20), metadata) == MetricSet(omitted=(f"linear probe: {why}",))


def test_excludes_labels_that_are_not_in_training():
    vectors, labels = clusters(40, 2)
    result = measure(vectors, metadata_of(40, labels=[*labels[:38], "c", "d"]))
    (metric,) = checked(result)
    assert (metric.value, metric.n) == (1.0, 38)
    assert "2 tracks excluded" in result.omitted[0]
    folds = ["1"] * 10 + ["2"] * 10 + ["3"] * 20
    given = measure(vectors, metadata_of(40, labels=[*labels[:20], *["c"] * 10, *labels[30:]], folds=folds))
    assert checked(given)[0].n == 30
    assert "linear probe (3 folds of the catalog): 10 tracks excluded" in given.omitted[0]


def test_reports_folds_that_allow_no_probe():
    """Each fold, or each artist, has one label that no other has."""
    labels, split = ["a"] * 20 + ["b"] * 20, ["x"] * 20 + ["y"] * 20
    for columns, how in (
        ({"folds": split}, "2 folds of the catalog"),
        ({"artists": split}, "2 stratified folds, grouped"),
    ):
        result = measure(random_vectors(40), metadata_of(40, labels=labels, **columns))
        assert result.metrics == ()
        assert result.omitted[0].startswith(f"linear probe ({how}")
        assert "40 tracks excluded" in result.omitted[0]


def test_dominant_label_gives_a_finite_interval():
    for rare in (2, 3, 4):
        labels = ["a"] * (60 - rare) + ["b"] * rare
        for artists in (None, [f"x{i // 3}" for i in range(60)], [f"x{i % 7}" for i in range(60)], ["x"] * 60):
            checked(measure(random_vectors(60), metadata_of(60, labels=labels, artists=artists)))


def test_reports_ties_and_missing_values():
    few, equal, no = np.full(40, np.nan), np.full(40, 3.0), np.full(40, np.nan)
    few[: MIN_TARGETS - 1] = np.arange(MIN_TARGETS - 1)
    few[-1] = np.inf
    targets = {name: Target(values, "t") for name, values in {"few": few, "equal": equal, "no": no}.items()}
    result = measure(random_vectors(40), metadata_of(40, targets=targets))
    assert result.metrics == ()
    assert result.omitted[1:] == (
        "R2 of few: known values: 29, 30 are needed",
        "R2 of equal: all values are equal",
        "R2 of no: known values: 0, 30 are needed",
    )


def test_ignores_unknown_numbers():
    vectors = random_vectors(60, 8)
    values = np.where(np.arange(60) < 45, vectors[:, 0], np.nan)
    (some,) = checked(measure(vectors, metadata_of(60, targets={"x": Target(values, "t")})))
    (only,) = checked(measure(vectors[:45], metadata_of(45, targets={"x": Target(values[:45], "t")})))
    assert some.n == 45
    assert not some.columns[45:].any()
    assert some.value > 0.5
    assert only.value > 0.5


def test_collapsed_vectors_give_finite_metrics():
    same = np.full((40, 8), 8**-0.5, np.float32)
    targets = {"x": Target(np.arange(40.0), "t")}
    probe, r2, within = checked(measure(same, metadata_of(40, labels=["a", "b"] * 20, targets=targets)))
    assert probe.value <= 0.6
    assert max(r2.value, within.value) <= 0


@pytest.mark.parametrize("artists", [None, [f"a{i // 4}" for i in range(176)]])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_128_dimensions_cause_no_warning(artists, kind):
    metadata = metadata_of(
        176,
        labels=[f"l{i % 12}" for i in range(176)],
        artists=artists,
        targets={"x": Target(np.random.default_rng(9).standard_normal(176).astype(kind), "t")},
    )
    assert len(checked(measure(random_vectors(176, 10, 128).astype(kind), metadata))) == 3


@pytest.mark.parametrize("artists", [None, [f"a{i // 3}" for i in range(60)], [f"a{i % 5}" for i in range(60)]])
@pytest.mark.parametrize("largest", [2, 3, 9])
def test_rare_labels_cause_no_warning(artists, largest):
    labels = [f"l{i % 40}" for i in range(60)]
    labels[:largest] = ["l0"] * largest
    checked(measure(random_vectors(60, 11, 128), metadata_of(60, labels=labels, artists=artists)))
