"""Probes: how much do linear models predict from the vectors?

Conventions
-----------
- Every prediction is for a track outside the training folds. The catalog's own folds are used where it has them, else
  five (fewer if there are fewer artists): an artist's tracks stay in one fold, and classification folds are stratified.
- A track whose label does not occur in its training folds is excluded, because no model could predict it.
- Dimensions are standardized, and the regularization is chosen, on the training folds only.
- Labels: accuracy of a logistic regression. Numbers: R2 of a ridge regression over all tracks.
"""

import warnings
from contextlib import contextmanager

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from audioae.library.track_metadata import Target, TrackMetadata
from audioae.metrics.metric import Metric, MetricSet, explained, mean_metric

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
    metric = mean_metric(f"linear probe ({how})", correct.astype(float), metadata.groups)
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


def _regress(vectors: np.ndarray, metadata: TrackMetadata, name: str, target: Target) -> MetricSet:
    known = np.flatnonzero(np.isfinite(target.values))
    values = target.values[known].astype(float)
    if len(known) < MIN_TARGETS or np.ptp(values) == 0:
        few = f"known values: {len(known)}, {MIN_TARGETS} are needed"
        why = few if len(known) < MIN_TARGETS else "all values are equal"
        return MetricSet(omitted=(f"R2 of {name}: {why}",))
    groups = metadata.groups[known]
    if len(set(groups)) < 2:
        groups = np.arange(len(known))
    folds = GroupKFold(min(N_FOLDS, len(set(groups))), shuffle=True, random_state=0)
    predicted = np.empty(len(known))
    for train, test in folds.split(known, groups=groups):
        model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
        predicted[test] = model.fit(vectors[known[train]], values[train]).predict(vectors[known[test]])
    columns = np.zeros((metadata.n, 2))
    columns[known, 0] = (predicted - values) ** 2
    columns[known, 1] = (values - values.mean()) ** 2
    return MetricSet((Metric(f"R2 of {name} ({target.source})", columns, explained, metadata.groups),))
