"""The classifier of corrupt tracks: trained on faults that were added to the catalog's own tracks.

Conventions
-----------
- Features are the columns `FEATURES` of the evidence (see `rules.derive`), NaN where there is no value.
- Clean rows are tracks of the catalog that break no rule, and unharmed versions of some of them. Faulty rows are
  versions with one fault each. A version belongs to the group of its track, and no group is used for both training and
  testing.
- A fault score is any real number, higher = worse. `to_scores` maps it to a score in [0, 1], low = bad, by comparison
  with clean tracks that were not trained on.

Why two parts: trees know the faults that they were trained on, while a fault that nobody thought of is at least
unusual. `outlierness` is how far the most unusual columns lie outside the range of 99 % of the clean tracks.
Why extremely randomized trees: they train in a second, and with few tracks they beat boosted trees, which overfit
(`python -m tests.bench corrupt` has the current figures).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score

OCTAVES = tuple(f"octave_{hz}_db" for hz in (125, 250, 500, 1000, 2000, 4000, 8000, 16_000))
FEATURES = (
    "flat_fraction",
    "clipped_fraction",
    "clipped_run",
    "crest_db",
    "peak",
    "dc_offset",
    "zero_fraction",
    "zero_run_s",
    "tail_s",
    "quiet_fraction",
    "channel_difference_db",
    "correlation",
    "cutoff_hz",
    "bandwidth_hz",
    "treble_hz",
    "edge_db",
    "flatness_db",
    "flicker_db",
    "noise_floor_dbfs",
    "pause_db",
    "hum_db",
    "hum_line_db",
    "fall_db",
    "burst_db",
    "click_db",
    "repeat",
    "distinct_fraction",
    "spike_db",
    "spikes_db",
    "loop",
    "loop_match",
    "plateau_db",
    "gap_db",
    "tops_db",
    "tuning_cos",
    "tuning_sin",
    "tuning_strength",
    "partials",
    *OCTAVES,
    "reconstruction_error",
    "spread",
)
CLEAN = ""
MAX_CLEAN = 4000
MAX_SHARE = 0.2  # an artist with more of the clean tracks than this ("Various Artists") is not treated as one
FOLDS = 4
_TREES, _FEWER_TREES = 150, 50  # fewer where there is one classifier per fault and fold
_MISSING = -999.0


class FaultClassifier:
    """Trained on clean and faulty rows.

    Parameters
    ----------
    features : np.ndarray, shape (n, d)
    kinds : np.ndarray, shape (n,), str
        `CLEAN`, or the name of the fault.
    trees : int
    """

    def __init__(self, features: np.ndarray, kinds: np.ndarray, trees: int = _TREES):
        clean = kinds == CLEAN
        self._low, self._middle, self._high = _quantiles(features[clean])
        weights = np.where(clean, max((~clean).sum(), 1) / clean.sum(), 1.0)
        share: Any = 0.4  # scikit-learn's type hints allow only "sqrt" and "log2"
        self._forest = ExtraTreesClassifier(trees, min_samples_leaf=2, max_features=share, random_state=0)
        self._forest.fit(self._inputs(features), kinds, sample_weight=weights)
        self._kinds = self._forest.classes_

    def fault_score(self, features: np.ndarray) -> np.ndarray:
        """Log odds of a fault plus the log of the outlierness, shape (n,)."""
        clean = np.asarray(self._forest.predict_proba(self._inputs(features)))[:, list(self._kinds).index(CLEAN)]
        return np.log((1.01 - clean) / (clean + 0.01)) + np.log(self.outlierness(features)[:, -1] + 0.1)

    def most_likely_fault(self, features: np.ndarray) -> list[str]:
        """The most likely fault of each row, given that it has one."""
        faults = self._kinds != CLEAN
        best = np.asarray(self._forest.predict_proba(self._inputs(features)))[:, faults].argmax(axis=1)
        return [str(name) for name in self._kinds[faults][best]]

    def outlierness(self, features: np.ndarray) -> np.ndarray:
        """The three largest distances of a row from the median of the clean rows, ascending, shape (n, 3).

        1 is the edge of the range of 99 % of the clean rows.
        """
        above = features > self._middle
        with np.errstate(invalid="ignore"):
            distance = np.abs(features - self._middle) / np.where(above, self._high, self._low)
        return np.sort(np.nan_to_num(distance, nan=0.0), axis=1)[:, -3:]

    def _inputs(self, features: np.ndarray) -> np.ndarray:
        return np.c_[np.nan_to_num(features, nan=_MISSING), self.outlierness(features)].astype(np.float32)


def _quantiles(clean: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median of the clean rows, and how far they reach below and above it; a column without values is 0."""
    known = np.where(np.isnan(clean).all(axis=0), 0.0, clean)
    low, middle, high = np.nanpercentile(known, [0.5, 50, 99.5], axis=0)
    smallest = 1e-6 + 0.02 * np.abs(middle)
    return np.maximum(middle - low, smallest), middle, np.maximum(high - middle, smallest)


@dataclass(frozen=True)
class HeldOutScores:
    """Fault scores of rows by classifiers that were not trained on their group.

    Parameters
    ----------
    seen : np.ndarray, shape (n,)
        By classifiers trained on all faults.
    left_out : mapping of fault to np.ndarray, shape (n,)
        By classifiers that were not trained on that fault either; NaN for rows with another fault.
    """

    seen: np.ndarray
    left_out: Mapping[str, np.ndarray]


def score_held_out(
    features: np.ndarray, kinds: np.ndarray, groups: np.ndarray, *, leave_out: Sequence[str] = (), trees: int = _TREES
) -> HeldOutScores:
    """Score each row by a classifier that was not trained on its group.

    Parameters
    ----------
    features, kinds : np.ndarray, shape (n, d) and (n,)
        As for `FaultClassifier`.
    groups : np.ndarray, shape (n,), int
    leave_out : sequence of str
        Faults that are also scored by classifiers that were not trained on them.
    """
    seen, left_out = np.empty(len(kinds)), {}
    for fold in range(FOLDS):
        test = groups % FOLDS == fold
        if test.any():
            seen[test] = FaultClassifier(features[~test], kinds[~test], trees).fault_score(features[test])
    for kind in leave_out:
        left_out[kind] = np.full(len(kinds), np.nan)
        for fold in range(FOLDS):
            train = (groups % FOLDS != fold) & (kinds != kind)
            test = (groups % FOLDS == fold) & ((kinds == kind) | (kinds == CLEAN))
            if test.any():
                classifier = FaultClassifier(features[train], kinds[train], min(trees, _FEWER_TREES))
                left_out[kind][test] = classifier.fault_score(features[test])
    return HeldOutScores(seen, left_out)


def measure(scores: HeldOutScores, kinds: np.ndarray, clean: np.ndarray) -> dict[str, dict[str, float]]:
    """AUROC of each fault against the rows `clean` (bool): "seen", and "left_out" for faults that were left out."""
    aurocs: dict[str, dict[str, float]] = {}
    for kind in sorted(set(kinds) - {CLEAN}):
        rows = np.flatnonzero((kinds == kind) | clean)
        sides = {"seen": scores.seen} | ({"left_out": scores.left_out[kind]} if kind in scores.left_out else {})
        aurocs[str(kind)] = {
            name: float(roc_auc_score(kinds[rows] == kind, values[rows])) for name, values in sides.items()
        }
    return aurocs


def number_groups(artists: Sequence[str | None], track_ids: Sequence[str], clean: np.ndarray) -> np.ndarray:
    """A number for each track that all tracks of its artist share, shape (n,), int, in random order.

    A track is its own group if its artist is unknown or has more than `MAX_SHARE` of the `clean` tracks, shape (n,): a
    classifier trained without that artist would have too little to learn from.

    >>> len(set(number_groups(["b"] * 3, ["t0", "t1", "t2"], np.ones(3, bool)).tolist()))
    3
    """
    names = np.array([artist or "" for artist in artists], str)
    number = np.unique(names, return_inverse=True)[1]
    counts = np.bincount(number[clean], minlength=len(names))
    alone = (names == "") | (counts[number] > MAX_SHARE * clean.sum())
    unique, group = np.unique(np.where(alone, np.array(track_ids, str), names), return_inverse=True)
    return np.random.default_rng(0).permutation(len(unique))[group]


def to_scores(fault_score: np.ndarray, limit: float, spread: float) -> np.ndarray:
    """Scores in [0, 1], low = bad: 0.5 at the limit, higher for smaller fault scores.

    >>> to_scores(np.array([-10.0, 2.0, 30.0]), limit=2.0, spread=1.0).round(2).tolist()
    [1.0, 0.5, 0.0]
    """
    return 1 / (1 + np.exp(np.clip((fault_score - limit) / spread, -30, 30)))
