"""The detector of decoded waveforms, trained on resynthesized excerpts.

Conventions
-----------
- Input: rows of `section_artifacts.FEATURE_NAMES`. NaN (nothing to measure) becomes the mean over all examples.
- Output: log odds of a decoder, higher = more likely generated: half of those of a logistic regression, plus those of
  extremely randomized trees.
- A family is the decoder that made a copy (`REAL`: none); a version is what happened to it afterwards, such as mp3. A
  group (artist) is never in both training and test data.

Why both: trees recognize the families that they were trained on better, and the regression extrapolates beyond them.
"""

from dataclasses import dataclass

import numpy as np
import scipy.stats
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression

from audioae.screening.generated.resynthesis import REAL

N_FOLDS = 5
_CLIP = 4.0
_NEAR = 5


@dataclass(frozen=True, eq=False)
class Examples:
    """n excerpts, real or resynthesized: features (n, d) float32; track, group (artist), family and version (n,)."""

    features: np.ndarray
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
    """Tells real waveforms from resynthesized ones, and recognizes what is unlike both.

    Parameters
    ----------
    examples : Examples
        With at least one row of `REAL` and one of another family. Real and resynthesized rows have the same total
        weight, and so have the families.
    seed : int
    """

    def __init__(self, examples: Examples, seed: int = 0):
        x = examples.features
        known = ~np.isnan(x)
        n = np.maximum(known.sum(axis=0), 1)
        self.mean = np.where(known, x, 0).sum(axis=0) / n
        self.std = np.sqrt((np.where(known, x - self.mean, 0) ** 2).sum(axis=0) / n) + 1e-6
        self.train = self.standardize(x)
        is_copy = examples.family != REAL
        names, family = np.unique(examples.family, return_inverse=True)
        weight = 1 / np.bincount(family)[family] / np.where(is_copy, len(names) - 1, 1)
        weight *= len(is_copy) / weight.sum()
        self.logistic = LogisticRegression(C=0.03, max_iter=500).fit(self.train, is_copy, weight)
        trees = ExtraTreesClassifier(150, min_samples_leaf=3, max_features=0.3, random_state=seed)  # pyright: ignore
        self.trees = trees.fit(self.train, is_copy, weight)

    def standardize(self, features: np.ndarray) -> np.ndarray:
        return np.nan_to_num(np.clip((features - self.mean) / self.std, -_CLIP, _CLIP))

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """Log odds that a decoder wrote the waveform, shape (n,)."""
        z = self.standardize(features)
        probability = np.clip(self.trees.predict_proba(z)[:, 1], 0.01, 0.99)
        return 0.5 * self.logistic.decision_function(z) + np.log(probability / (1 - probability))

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Root mean square distance per dimension to the 5th nearest example, shape (n,)."""
        z = self.standardize(features)
        nearest = np.empty(len(z))
        for start in range(0, len(z), 1024):
            block = z[start : start + 1024]
            square = (block**2).sum(axis=1)[:, None] - 2 * block @ self.train.T + (self.train**2).sum(axis=1)
            nearest[start : start + 1024] = np.partition(square, min(_NEAR, square.shape[1]) - 1)[:, _NEAR - 1]
        return np.sqrt(np.maximum(nearest, 0) / z.shape[1])

    def contributions(self, features: np.ndarray) -> np.ndarray:
        """What each feature adds to the regression's log odds, shape (n, d)."""
        return self.standardize(features) * self.logistic.coef_[0]


def folds_of(group: np.ndarray, seed: int, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    """Fold of each row, 0 to N_FOLDS - 1, by its group.

    Folds have equal numbers of the first argument's groups. Groups of the other arguments that occur there get the same
    fold.
    """
    rng = np.random.default_rng(seed)
    order: dict[str, int] = {}
    for groups in (group, *others):
        new = sorted(set(groups.tolist()) - order.keys())
        order |= {new[i]: len(order) + position for position, i in enumerate(rng.permutation(len(new)))}
    return tuple(np.array([order[name] % N_FOLDS for name in groups.tolist()], int) for groups in (group, *others))


def upper_limit(values: np.ndarray, share: float) -> float:
    """The limit that a share of the values would exceed if they were normally distributed above their median."""
    if not len(values):
        return float("inf")
    middle, upper = np.quantile(values, [0.5, float(scipy.stats.norm.cdf(1))])
    return float(middle + float(scipy.stats.norm.isf(share)) * (upper - middle))
