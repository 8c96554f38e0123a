"""Probes: what can be read off the vectors by a linear model?

Conventions
-----------
- Every prediction is for a track that the model was not fitted on. Folds are those given; else five (fewer with fewer
  artists), with an artist's tracks in one fold, and labels spread evenly for classification.
- A track whose label none of its fitting tracks has, has no say: nothing could name it.
- Dimensions are standardized on the fitting tracks. Regularization is chosen inside the fitting tracks.
- Classification: logistic regression, share of tracks named rightly. Numbers: ridge regression, R2 over all tracks.
"""

import warnings
from contextlib import contextmanager

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audioae.library.track_metadata import Target, TrackMetadata
from audioae.metrics.metric import Metric, MetricSet, explained, mean_metric

N_FOLDS = 5
STRENGTHS = (0.003, 0.03, 0.3)  # of logistic regression (C), on standardized dimensions
MAX_ROUNDS = 2000
ALPHAS = np.logspace(-1, 5, 13)
MIN_TARGETS = 30

Splits = list[tuple[np.ndarray, np.ndarray]]


def measure(vectors: np.ndarray, metadata: TrackMetadata) -> MetricSet:
    """Linear classification of the label, and R2 of every target."""
    answer = _classify(vectors, metadata)
    for name, target in metadata.targets.items():
        answer += _regress(vectors, metadata, name, target)
    return answer


@contextmanager
def _rare_labels_allowed():
    """A label with fewer tracks than folds, or nearly as many labels as tracks, is what catalogs are like."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        warnings.filterwarnings("ignore", "The number of unique classes")
        yield


@_rare_labels_allowed()
def label_predictions(vectors: np.ndarray, metadata: TrackMetadata) -> tuple[np.ndarray, str] | str:
    """Predicted label of every track ("" where none could be), and which folds were used; or why there are none."""
    known = np.flatnonzero(metadata.labels != "")
    labels = metadata.labels[known].astype(str)
    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2:
        return f"{len(names)} different labels known, at least 2 are needed"
    given = metadata.folds[known]
    predicted = np.full(metadata.n, "", dtype=object)
    if (given != "").all() and len(set(given)) >= 2:
        splits = list(LeaveOneGroupOut().split(vectors[known], labels, given.astype(str)))
        how = f"{len(splits)} folds as given"
    else:
        often = np.isin(labels, names[counts >= 2])
        if len(set(labels[often])) < 2:
            return "fewer than 2 labels have two tracks"
        known, labels = known[often], labels[often]
        groups = metadata.groups[known]
        n_groups = len(set(groups))
        grouped = 1 < n_groups < len(groups)
        n_folds = min(N_FOLDS, int(counts.max()), n_groups if grouped else N_FOLDS)
        splitter = (StratifiedGroupKFold if grouped else StratifiedKFold)(n_folds, shuffle=True, random_state=0)
        splits = list(splitter.split(vectors[known], labels, groups if grouped else None))
        how = f"{n_folds} stratified folds{', grouped by artist' if grouped else ''}"
    for fitting, held in splits:
        held = held[np.isin(labels[held], labels[fitting])]
        if len(held) == 0 or len(set(labels[fitting])) < 2:
            continue
        model = make_pipeline(StandardScaler(), _classifier(vectors[known[fitting]], labels[fitting]))
        model.fit(vectors[known[fitting]], labels[fitting])
        predicted[known[held]] = model.predict(vectors[known[held]])
    return predicted, how


def _classify(vectors: np.ndarray, metadata: TrackMetadata) -> MetricSet:
    result = label_predictions(vectors, metadata)
    if isinstance(result, str):
        return MetricSet(omitted=(f"linear probe: {result}",))
    predicted, how = result
    asked = predicted != ""
    silent = int(((metadata.labels != "") & ~asked).sum())
    why = f"linear probe ({how}): {silent} tracks cannot be named: the tracks to fit on lack their label, or any other"
    omitted = (why,) if silent else ()
    if not asked.any():
        return MetricSet(omitted=omitted)
    correct = np.where(asked, predicted == metadata.labels, np.nan)
    metric = mean_metric(f"linear probe ({how})", correct.astype(float), metadata.groups)
    return MetricSet((metric,), omitted)


def _classifier(vectors: np.ndarray, labels: np.ndarray) -> LogisticRegression:
    """Logistic regression with the strength that does best on one held-out fifth of the fitting tracks."""
    _, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        return LogisticRegression(C=STRENGTHS[1], max_iter=MAX_ROUNDS)
    fitting, held = next(iter(StratifiedKFold(min(N_FOLDS, int(counts.min()))).split(vectors, labels)))
    best, best_score = STRENGTHS[0], -1.0
    for strength in STRENGTHS:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=MAX_ROUNDS))
        score = float(model.fit(vectors[fitting], labels[fitting]).score(vectors[held], labels[held]))
        if score > best_score:
            best, best_score = strength, score
    return LogisticRegression(C=best, max_iter=MAX_ROUNDS)


def _regress(vectors: np.ndarray, metadata: TrackMetadata, name: str, target: Target) -> MetricSet:
    known = np.flatnonzero(np.isfinite(target.values))
    values = target.values[known].astype(float)
    if len(known) < MIN_TARGETS or np.ptp(values) == 0:
        why = f"{len(known)} values known, {MIN_TARGETS} are needed" if len(known) < MIN_TARGETS else "all are equal"
        return MetricSet(omitted=(f"R2 of {name}: {why}",))
    groups = metadata.groups[known]
    if len(set(groups)) < 2:
        groups = np.arange(len(known))
    folds = GroupKFold(min(N_FOLDS, len(set(groups))), shuffle=True, random_state=0)
    predicted = np.empty(len(known))
    for fitting, held in folds.split(known, groups=groups):
        model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
        predicted[held] = model.fit(vectors[known[fitting]], values[fitting]).predict(vectors[known[held]])
    columns = np.zeros((metadata.n, 2))
    columns[known, 0] = (predicted - values) ** 2
    columns[known, 1] = (values - values.mean()) ** 2
    return MetricSet((Metric(f"R2 of {name} ({target.source})", columns, explained, metadata.groups),))
