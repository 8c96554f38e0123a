"""Corrupt tracks: a classifier that learned from faults done to the catalog's own tracks, and how far off a track is.

Conventions
-----------
- Features are columns of evidence (`FEATURES`, as `corrupt_rules.derive` gives them), NaN where there is no value.
- Clean rows are tracks of the catalog that break no rule, and intact versions of some of them; faulty rows are versions
  with one fault each. A version has the group of its track, and no group is both learned from and judged.
- `badness` is any real number, higher = worse; what it means is decided by that of clean tracks that were not learned
  from: `Judge` maps it to a score in [0, 1], low = bad.

Why two halves: trees know the faults that they were shown, and a fault that nobody thought of is at least unusual.
`strangeness` is how far the most unusual columns lie outside what 99 % of the clean tracks have.
Why extremely randomized trees: trained in a second, and better on few tracks than boosted ones, which learn the tracks
(`python -m tests.bench corrupt` has the figures of what stayed).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score

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
    "reconstruction_error",
    "spread",
)
CLEAN = ""
MAX_CLEAN = 4000
MAX_SHARE = 0.2  # of the clean tracks: more of one artist ("Various Artists") do not belong together
FOLDS = 4
_TREES, _FEWER_TREES = 150, 50  # fewer where there is one detector per fault and fold
_NONE = -999.0


class FaultClassifier:
    """Learns from clean and faulty rows.

    Parameters
    ----------
    features : np.ndarray, shape (n, d)
    kinds : np.ndarray, shape (n,), str
        `CLEAN`, or the fault.
    trees : int
    """

    def __init__(self, features: np.ndarray, kinds: np.ndarray, trees: int = _TREES):
        clean = kinds == CLEAN
        self._low, self._middle, self._high = _quantiles(features[clean])
        weights = np.where(clean, max((~clean).sum(), 1) / clean.sum(), 1.0)
        share: Any = 0.4  # scikit-learn's hints know only "sqrt" and "log2"
        self._forest = ExtraTreesClassifier(trees, min_samples_leaf=2, max_features=share, random_state=0)
        self._forest.fit(self._inputs(features), kinds, sample_weight=weights)
        self._kinds = self._forest.classes_

    def fault_score(self, features: np.ndarray) -> np.ndarray:
        """Log odds of a fault, and the log of the strangeness, shape (n,)."""
        clean = np.asarray(self._forest.predict_proba(self._inputs(features)))[:, list(self._kinds).index(CLEAN)]
        return np.log((1.01 - clean) / (clean + 0.01)) + np.log(self.outlierness(features)[:, -1] + 0.1)

    def likeliest(self, features: np.ndarray) -> list[str]:
        """The fault that each row would have if it had one."""
        faults = self._kinds != CLEAN
        found = np.asarray(self._forest.predict_proba(self._inputs(features)))[:, faults].argmax(axis=1)
        return [str(name) for name in self._kinds[faults][found]]

    def outlierness(self, features: np.ndarray) -> np.ndarray:
        """The three largest distances of a row from the middle of the clean ones, ascending, shape (n, 3).

        1 is the edge of what 99 % of the clean ones have.
        """
        above = features > self._middle
        with np.errstate(invalid="ignore"):
            far = np.abs(features - self._middle) / np.where(above, self._high, self._low)
        return np.sort(np.nan_to_num(far, nan=0.0), axis=1)[:, -3:]

    def _inputs(self, features: np.ndarray) -> np.ndarray:
        return np.c_[np.nan_to_num(features, nan=_NONE), self.outlierness(features)].astype(np.float32)


def _quantiles(clean: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far down from the middle, the middle, and how far up the clean rows go; what all of them lack is at 0."""
    known = np.where(np.isnan(clean).all(axis=0), 0.0, clean)
    low, middle, high = np.nanpercentile(known, [0.5, 50, 99.5], axis=0)
    least = 1e-6 + 0.02 * np.abs(middle)
    return np.maximum(middle - low, least), middle, np.maximum(high - middle, least)


@dataclass(frozen=True)
class HeldOutScores:
    """What a check says of rows that it has not learned from: badness, shape (n,), by what was left out besides."""

    seen: np.ndarray
    left_out: Mapping[str, np.ndarray]


def judge_held_out(
    features: np.ndarray, kinds: np.ndarray, groups: np.ndarray, *, leave_out: Sequence[str] = (), trees: int = _TREES
) -> HeldOutScores:
    """Judge each row by detectors that know nothing of its group; and of each fault in `leave_out`.

    Parameters
    ----------
    features, kinds : np.ndarray, shape (n, d) and (n,)
        As for `FaultClassifier`.
    groups : np.ndarray, shape (n,), int
    """
    seen, left_out = np.empty(len(kinds)), {}
    for fold in range(FOLDS):
        own = groups % FOLDS == fold
        if own.any():
            seen[own] = FaultClassifier(features[~own], kinds[~own], trees).fault_score(features[own])
    for kind in leave_out:
        left_out[kind] = np.full(len(kinds), np.nan)
        for fold in range(FOLDS):
            known = (groups % FOLDS != fold) & (kinds != kind)
            asked = (groups % FOLDS == fold) & ((kinds == kind) | (kinds == CLEAN))
            if asked.any():
                detector = FaultClassifier(features[known], kinds[known], min(trees, _FEWER_TREES))
                left_out[kind][asked] = detector.fault_score(features[asked])
    return HeldOutScores(seen, left_out)


def measure(held: HeldOutScores, kinds: np.ndarray, clean: np.ndarray) -> dict[str, dict[str, float]]:
    """AUROC of each fault against the rows `clean` (bool): "seen", and "left_out" where it was left out."""
    found: dict[str, dict[str, float]] = {}
    for kind in sorted(set(kinds) - {CLEAN}):
        rows = np.flatnonzero((kinds == kind) | clean)
        sides = {"seen": held.seen} | ({"left_out": held.left_out[kind]} if kind in held.left_out else {})
        aurocs = {name: float(roc_auc_score(kinds[rows] == kind, values[rows])) for name, values in sides.items()}
        found[str(kind)] = aurocs
    return found


def number_groups(artists: Sequence[str | None], track_ids: Sequence[str], clean: np.ndarray) -> np.ndarray:
    """Numbers of groups, dealt so that folds by remainder are mixed, shape (n,), int: an artist's tracks are one.

    A track stands alone where its artist is not known, or has more than `MAX_SHARE` of the `clean` tracks, shape (n,):
    who learns from all others would have nothing to learn from.

    >>> len(set(number_groups(["b"] * 3, ["t0", "t1", "t2"], np.ones(3, bool)).tolist()))
    3
    """
    names = np.array([artist or "" for artist in artists], str)
    place = np.unique(names, return_inverse=True)[1]
    counts = np.bincount(place[clean], minlength=len(names))
    alone = (names == "") | (counts[place] > MAX_SHARE * clean.sum())
    unique, group = np.unique(np.where(alone, np.array(track_ids, str), names), return_inverse=True)
    return np.random.default_rng(0).permutation(len(unique))[group]


def to_scores(fault_score: np.ndarray, limit: float, spread: float) -> np.ndarray:
    """Scores in [0, 1], low = bad: 0.5 at the limit, higher below it.

    >>> to_scores(np.array([-10.0, 2.0, 30.0]), limit=2.0, spread=1.0).round(2).tolist()
    [1.0, 0.5, 0.0]
    """
    return 1 / (1 + np.exp(np.clip((fault_score - limit) / spread, -30, 30)))


def oddest_clip(codes: np.ndarray) -> int:
    """The clip that is least like the others of its track, by mean and deviation of 16 bands.

    Parameters
    ----------
    codes : np.ndarray, shape (n_clips, 128, n_frames), uint8
    """
    bands = codes.reshape(len(codes), 16, -1).astype(np.float32)
    looks = np.concatenate([bands.mean(axis=2), bands.std(axis=2)], axis=1)
    return int(np.abs(looks - np.median(looks, axis=0)).mean(axis=1).argmax())
