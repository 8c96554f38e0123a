"""A detector of re-made waveforms, trained on examples; and how well it does on those that it was not trained on.

Conventions
-----------
- Input: rows of `section_artifacts.EVIDENCE_NAMES`; NaN (nothing to measure) is replaced by the mean of all examples.
- Judgement out: half the log odds of a logistic regression, plus those of extremely randomized trees.
- A family is what made a copy (`REAL`: nothing did), a version what happened to it afterwards, such as mp3. A group
  (artist) is never on both sides of a fold.

Why both: trees know families better that they were trained on, and the regression goes on where trees stop.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from audioae.screening.generated.resynthesis import REAL

N_FOLDS = 5
_CLIP = 4.0
_NEAR = 5


@dataclass(frozen=True, eq=False)
class Examples:
    """Excerpts, real or made again: evidence (n, d) float32; by row its track, group (artist), family and version."""

    evidence: np.ndarray
    track: np.ndarray
    group: np.ndarray
    family: np.ndarray
    version: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> "Examples":
        return Examples(*(column[rows] for column in vars(self).values()))

    @property
    def n_tracks(self) -> int:
        return len(set(self.track.tolist()))


class VocoderDetector:
    """Tells what is real from what was re-made, and what is like neither.

    Parameters
    ----------
    examples : Examples
        With at least one row of `REAL` and one of another family. Real and re-made weigh the same, and so do families.
    seed : int
    """

    def __init__(self, examples: Examples, seed: int = 0):
        x = examples.evidence
        there = ~np.isnan(x)
        n = np.maximum(there.sum(axis=0), 1)
        self.mean = np.where(there, x, 0).sum(axis=0) / n
        self.std = np.sqrt((np.where(there, x - self.mean, 0) ** 2).sum(axis=0) / n) + 1e-6
        self.known = self.standardized(x)
        made = examples.family != REAL
        names, family = np.unique(examples.family, return_inverse=True)
        weight = 1 / np.bincount(family)[family] / np.where(made, len(names) - 1, 1)
        weight *= len(made) / weight.sum()
        self.logistic = LogisticRegression(C=0.03, max_iter=500).fit(self.known, made, weight)
        trees = ExtraTreesClassifier(150, min_samples_leaf=3, max_features=0.3, random_state=seed)  # pyright: ignore
        self.trees = trees.fit(self.known, made, weight)

    def standardized(self, evidence: np.ndarray) -> np.ndarray:
        return np.nan_to_num(np.clip((evidence - self.mean) / self.std, -_CLIP, _CLIP))

    def judge(self, evidence: np.ndarray) -> np.ndarray:
        """How much speaks for a decoder, shape (n,), in log odds."""
        z = self.standardized(evidence)
        share = np.clip(self.trees.predict_proba(z)[:, 1], 0.01, 0.99)
        return 0.5 * self.logistic.decision_function(z) + np.log(share / (1 - share))

    def distance(self, evidence: np.ndarray) -> np.ndarray:
        """Root mean square per dimension to the 5th nearest example, shape (n,)."""
        z = self.standardized(evidence)
        found = np.empty(len(z))
        for start in range(0, len(z), 1024):
            block = z[start : start + 1024]
            square = (block**2).sum(axis=1)[:, None] - 2 * block @ self.known.T + (self.known**2).sum(axis=1)
            found[start : start + 1024] = np.partition(square, min(_NEAR, square.shape[1]) - 1)[:, _NEAR - 1]
        return np.sqrt(np.maximum(found, 0) / z.shape[1])

    def shares(self, evidence: np.ndarray) -> np.ndarray:
        """What each dimension adds to the regression's log odds, shape (n, d)."""
        return self.standardized(evidence) * self.logistic.coef_[0]


def folds_of(group: np.ndarray, seed: int, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    """Fold of each row, 0 to N_FOLDS - 1, even over the groups of the first argument; others go with their groups."""
    rng = np.random.default_rng(seed)
    order: dict[str, int] = {}
    for groups in (group, *others):
        new = sorted(set(groups.tolist()) - order.keys())
        order |= {new[i]: len(order) + place for place, i in enumerate(rng.permutation(len(new)))}
    return tuple(np.array([order[name] % N_FOLDS for name in groups.tolist()], int) for groups in (group, *others))


def upper_limit(values: np.ndarray, share: float) -> float:
    """What the given share of values would exceed if they were normal above their median."""
    if not len(values):
        return float("inf")
    middle, upper = np.quantile(values, [0.5, float(scipy.stats.norm.cdf(1))])
    return float(middle + float(scipy.stats.norm.isf(share)) * (upper - middle))


def measure(examples: Examples, held_out: np.ndarray, fold: np.ndarray, rate: float, seed: int) -> dict[str, Any]:
    """How well held-out examples are told apart: by family, known or left out of training, and by version.

    `caught` is the share above the limit that the real examples set for a false-positive rate of `rate`.
    """
    made = examples.family != REAL
    families = {}
    for family in sorted(set(examples.family[made].tolist())):
        own = examples.family == family
        new = np.full(len(made), np.nan)
        for f in range(N_FOLDS):
            if (fold == f).any() and len(set(examples.family.tolist())) > 2:
                new[fold == f] = VocoderDetector(examples[(fold != f) & ~own], seed).judge(examples.evidence[fold == f])
        families[family] = {
            "known": _auroc(held_out[own], held_out[~made]),
            "left_out": _auroc(new[own], new[~made]),
            "caught": _caught(held_out[own], held_out[~made], rate),
            "caught_left_out": _caught(new[own], new[~made], rate),
        }
    versions = {
        version: _auroc(held_out[made & (examples.version == version)], held_out[~made & (examples.version == version)])
        for version in sorted(set(examples.version.tolist()))
    }
    return {"known": _auroc(held_out[made], held_out[~made]), "families": families, "versions": versions}


def _auroc(made: np.ndarray, real: np.ndarray) -> float | None:
    values = np.concatenate([made, real])
    if not len(made) or not len(real) or np.isnan(values).any():
        return None
    return float(roc_auc_score(np.arange(len(values)) < len(made), values))


def _caught(made: np.ndarray, real: np.ndarray, rate: float) -> float | None:
    return None if np.isnan(made).any() else float(np.mean(made > upper_limit(real, rate)))
