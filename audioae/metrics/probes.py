"""Probes: how much do linear models predict from the vectors?

Conventions
-----------
- Every prediction is for a track outside the training folds. The catalog's own folds are used where it has them, else
  five (fewer if there are fewer artists): an artist's tracks stay in one fold, and classification folds are stratified.
- A track whose label does not occur in its training folds is excluded, because no model could predict it.
- Dimensions are standardized, and the regularization is chosen, on the training folds only.
- Labels: accuracy of a logistic regression. Numbers: R2 of a ridge regression over all tracks, and "within labels": the
  share of the squared deviations from the mean of each label that it explains, so what is known beyond the label.
- Numbers that are 0 or 1 also: AUROC of a logistic regression, over the predictions of all folds together.
- The AUROC is written as sums over tracks by the placement of each track among those of the other class.

Source: placements: DeLong, DeLong and Clarke-Pearson, Biometrics 1988.
"""

import warnings
from contextlib import contextmanager
from functools import partial

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from audioae.library.track_metadata import Target, TrackMetadata
from audioae.metrics.intervals import SHARE
from audioae.metrics.metric import R2_LIMITS, Metric, MetricSet, explained, mean_metric, ratio

N_FOLDS = 5
STRENGTHS = (0.003, 0.03, 0.3)  # C of the logistic regression
MAX_ITERATIONS = 2000
ALPHAS = np.logspace(-1, 5, 13)
MIN_TARGETS = 30


def measure(vectors: np.ndarray, metadata: TrackMetadata) -> MetricSet:
    """Measure the accuracy of a linear probe of the label, and the R2 of every target."""
    answer = _classify(vectors, metadata)
    for name, target in metadata.targets.items():
        answer += _regress(vectors, metadata, name, target)
    return answer


@contextmanager
def _rare_labels_allowed():
    """Silence sklearn's warnings about labels with few tracks, which are common in catalogs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        warnings.filterwarnings("ignore", "The number of unique classes")
        yield


@_rare_labels_allowed()
def label_predictions(vectors: np.ndarray, metadata: TrackMetadata) -> tuple[np.ndarray, str] | str:
    """Predict the label of every track, "" where impossible, and name the folds. A string is the reason for none."""
    known = np.flatnonzero(metadata.labels != "")
    labels = metadata.labels[known].astype(str)
    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2:
        return f"known labels: {len(names)}, at least 2 are needed"
    given = metadata.folds[known]
    predicted = np.full(metadata.n, "", dtype=object)
    if (given != "").all() and len(set(given)) >= 2:
        splits = list(LeaveOneGroupOut().split(vectors[known], labels, given.astype(str)))
        how = f"{len(splits)} folds of the catalog"
    else:
        repeated = np.isin(labels, names[counts >= 2])
        if len(set(labels[repeated])) < 2:
            return "fewer than 2 labels have at least 2 tracks"
        known, labels = known[repeated], labels[repeated]
        groups = metadata.groups[known]
        n_groups = len(set(groups))
        grouped = 1 < n_groups < len(groups)
        n_folds = min(N_FOLDS, int(counts.max()), n_groups if grouped else N_FOLDS)
        splitter = (StratifiedGroupKFold if grouped else StratifiedKFold)(n_folds, shuffle=True, random_state=0)
        splits = list(splitter.split(vectors[known], labels, groups if grouped else None))
        how = f"{n_folds} stratified folds{', grouped by artist' if grouped else ''}"
    for train, test in splits:
        test = test[np.isin(labels[test], labels[train])]
        if len(test) == 0 or len(set(labels[train])) < 2:
            continue
        model = _classifier(labels[train]).fit(vectors[known[train]], labels[train])
        predicted[known[test]] = model.predict(vectors[known[test]])
    return predicted, how


def _classify(vectors: np.ndarray, metadata: TrackMetadata) -> MetricSet:
    result = label_predictions(vectors, metadata)
    if isinstance(result, str):
        return MetricSet(omitted=(f"linear probe: {result}",))
    predicted, how = result
    scored = predicted != ""
    excluded = int(((metadata.labels != "") & ~scored).sum())
    why = f"linear probe ({how}): {excluded} tracks excluded, because their label (or any other) is not in training"
    omitted = (why,) if excluded else ()
    if not scored.any():
        return MetricSet(omitted=omitted)
    correct = np.where(scored, predicted == metadata.labels, np.nan)
    metric = mean_metric(f"linear probe ({how})", correct.astype(float), metadata.groups, limits=SHARE)
    return MetricSet((metric,), omitted)


def _classifier(labels: np.ndarray) -> GridSearchCV | Pipeline:
    """Logistic regression whose strength is chosen on one validation fold of the training tracks.

    Why one fold and not five: on made-up catalogs of 120 to 400 tracks, five change the accuracy by less than .01 and
    take 3 to 6 times as long. A label with a single training track allows no validation fold: then C is the middle one.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTHS[1], max_iter=MAX_ITERATIONS))
    fewest = int(np.unique(labels, return_counts=True)[1].min())
    if fewest < 2:
        return model
    validation = next(StratifiedKFold(min(N_FOLDS, fewest)).split(labels, labels))
    return GridSearchCV(model, {"logisticregression__C": STRENGTHS}, cv=[validation])


def known_target(metadata: TrackMetadata, target: Target) -> tuple[np.ndarray, np.ndarray, np.ndarray] | str:
    """Rows with a known value, their values, and their groups (artists); a string is the reason for none."""
    known = np.flatnonzero(np.isfinite(target.values))
    values = target.values[known].astype(float)
    if len(known) < MIN_TARGETS:
        return f"known values: {len(known)}, {MIN_TARGETS} are needed"
    if np.ptp(values) == 0:
        return "all values are equal"
    groups = metadata.groups[known]
    return known, values, groups if len(set(groups)) > 1 else np.arange(len(known))


def target_folds(groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test rows of each fold; the tracks of a group stay together."""
    folds = GroupKFold(min(N_FOLDS, len(set(groups))), shuffle=True, random_state=0)
    return list(folds.split(groups, groups=groups))


def is_binary(values: np.ndarray) -> bool:
    """Whether every value is 0 or 1."""
    return bool(np.isin(values, (0, 1)).all())


def _regress(vectors: np.ndarray, metadata: TrackMetadata, name: str, target: Target) -> MetricSet:
    found = known_target(metadata, target)
    if isinstance(found, str):
        return MetricSet(omitted=(f"R2 of {name}: {found}",))
    known, values, groups = found
    predicted, folds = np.empty(len(known)), target_folds(groups)
    for train, test in folds:
        model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
        predicted[test] = model.fit(vectors[known[train]], values[train]).predict(vectors[known[test]])
    errors = (predicted - values) ** 2
    answer = _explained(f"R2 of {name} ({target.source})", errors, values - values.mean(), known, metadata)
    if is_binary(values):
        return answer + _rank(vectors[known], values > 0, folds, f"AUROC of {name} ({target.source})", known, metadata)
    return answer + _regress_within(errors, values, f"R2 of {name}, within labels ({target.source})", known, metadata)


def _regress_within(
    errors: np.ndarray, values: np.ndarray, key: str, known: np.ndarray, metadata: TrackMetadata
) -> MetricSet:
    """R2 against the mean of each label instead of the mean of all tracks."""
    labels = metadata.labels[known].astype(str)
    _, label, counts = np.unique(labels, return_inverse=True, return_counts=True)
    deviations = values - (np.bincount(label, values) / counts)[label]
    counted = labels != ""
    if len(set(labels[counted])) < 2 or not deviations[counted].any():
        return MetricSet()
    return _explained(key, errors[counted], deviations[counted], known[counted], metadata)


def _explained(
    key: str, errors: np.ndarray, deviations: np.ndarray, rows: np.ndarray, metadata: TrackMetadata
) -> MetricSet:
    columns = np.zeros((metadata.n, 2))
    columns[rows, 0], columns[rows, 1] = errors, deviations**2
    return MetricSet((Metric(key, columns, explained, metadata.groups, limits=R2_LIMITS),))


def _rank(
    vectors: np.ndarray, positive: np.ndarray, folds: list, key: str, known: np.ndarray, metadata: TrackMetadata
) -> MetricSet:
    """The AUROC of a logistic regression; it needs both classes in the training tracks of every fold."""
    if any(len(set(positive[train])) < 2 for train, _ in folds):
        return MetricSet(omitted=(f"{key}: all tracks of one value are by one group of artists",))
    scores = np.empty(len(positive))
    for train, test in folds:
        scores[test] = (
            _classifier(positive[train]).fit(vectors[train], positive[train]).decision_function(vectors[test])
        )
    columns = np.zeros((metadata.n, 4))
    columns[known] = _placements(scores, positive)
    area = float(ratio(columns[:, :2].sum(axis=0)))
    return MetricSet((Metric(key, columns, partial(auroc, area=area), metadata.groups, limits=SHARE),))


def _placements(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Columns (placement, 1, 0, 0) of positive tracks and (0, 0, placement, 1) of negative ones, shape (n, 4).

    The placement is the share of the other class that a track is on the right side of; a tie counts half.
    """
    columns = np.zeros((len(scores), 4))
    ranks = rankdata(scores)
    for first, mine, better in ((0, positive, ranks), (2, ~positive, len(scores) + 1 - ranks)):
        columns[mine, first] = (better[mine] - rankdata(better[mine])) / (~mine).sum()
        columns[mine, first + 1] = 1
    return columns


def auroc(sums: np.ndarray, area: float) -> np.ndarray:
    """AUROC from sums of `_placements`: the means of both classes vary independently about `area`, the AUROC of all."""
    return np.clip(ratio(sums[..., :2]) + ratio(sums[..., 2:]) - area, 0, 1)
