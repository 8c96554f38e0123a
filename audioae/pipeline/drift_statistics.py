"""How much a group of tracks differs from the tracks of a training: three statistics of embeddings and errors.

Conventions
-----------
- Embeddings are unit vectors (n, 128), float32. Groups are artists: numbers, the same number for the same artist.
- MMD: squared maximum mean discrepancy, with the kernel exp((cosine - 1) / median distance). It is compared with that
  of groups of training artists, drawn at random, against the other training artists: so much do artists differ anyway.
- AUROC: how well a logistic regression tells new from training tracks of artists that it has not seen; 0.5: not at all.
- Errors: the share of new tracks whose reconstruction error is above the 99.5th percentile of the training tracks.

Why groups of artists, and MMD: new tracks come as albums, not one by one, and a new artist differs from all others. The
population stability index over 8 principal components, less its bias, was at .28 for the 95th percentile of artists of
the same kind, and at .11 for a style that the training had not: no threshold tells them apart. MMD against groups of
artists and the classifier by artists do (docs/scale.md, `tests/bench/bench_drift.py`). A classifier that may learn the
artists had an AUROC of .83 on more of the same.

Source: Gretton et al. 2012, "A kernel two-sample test"; classifier two-sample tests: Lopez-Paz and Oquab 2017; limits
of reconstruction errors as percentiles: common practice with autoencoders that monitor their input.
"""

from typing import NamedTuple

import numpy as np

DRAWS = 199
PERCENTILE = 99.5
FEWEST_GROUPS = 10


class Discrepancy(NamedTuple):
    """MMD of the new tracks, the 95th percentile of that of training artists, and how many of them are above."""

    value: float
    usual: float
    p: float


def discrepancy(training: np.ndarray, groups: np.ndarray, new: np.ndarray, seed: int = 0) -> Discrepancy:
    """Compare the embeddings of new tracks with those of training tracks, as training artists compare to each other."""
    groups = np.unique(groups, return_inverse=True)[1]
    if groups.max() + 1 < FEWEST_GROUPS:
        groups = np.arange(len(training))
    both = np.concatenate([training, new])
    cosine = both @ both.T
    width = max(float(np.median(1 - cosine[: len(training), : len(training)])), 1e-3)
    kernel = np.exp((cosine - 1) / width)
    is_new = np.arange(len(both)) >= len(training)
    drawn = draw_groups(groups, min(len(new), len(training) // 3), np.random.default_rng(seed))
    usual = _mmd(kernel[: len(training), : len(training)], drawn)
    value = float(_mmd(kernel, is_new[None])[0])
    return Discrepancy(value, float(np.quantile(usual, 0.95)), (1 + int((usual >= value).sum())) / (1 + DRAWS))


def draw_groups(groups: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw whole groups until they have `n` members, many times; shape (DRAWS, len(groups)), bool.

    >>> drawn = draw_groups(np.array([0, 0, 1, 2]), 2, np.random.default_rng(0))
    >>> drawn.shape, bool((drawn[:, 0] == drawn[:, 1]).all()), int(drawn.sum(axis=1).min())
    ((199, 4), True, 2)
    """
    sizes = np.bincount(groups)
    drawn = np.empty((DRAWS, len(groups)), bool)
    for row in drawn:
        order = rng.permutation(len(sizes))
        needed = int(np.searchsorted(np.cumsum(sizes[order]), n)) + 1
        row[:] = np.isin(groups, order[:needed])
    return drawn


def _mmd(kernel: np.ndarray, members: np.ndarray) -> np.ndarray:
    """The unbiased estimate for each row of `members` (k, n), bool, against the others."""
    inside = members.astype(kernel.dtype)
    m, diagonal = inside.sum(axis=1), np.diag(kernel)
    rest, sums = kernel.shape[0] - m, inside @ kernel
    within = (sums * inside).sum(axis=1)
    across = sums.sum(axis=1) - within
    others = kernel.sum(dtype=np.float64) - within - 2 * across - (diagonal.sum() - inside @ diagonal)
    within = within - inside @ diagonal
    return within / np.maximum(m * (m - 1), 1) + others / np.maximum(rest * (rest - 1), 1) - 2 * across / (m * rest)


def separability(
    training: np.ndarray, groups: np.ndarray, new: np.ndarray, new_groups: np.ndarray, seed: int = 0
) -> float | None:
    """AUROC of a classifier that tells new from training tracks, cross-validated by artist; None for one artist."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    folds = min(5, len(np.unique(groups)), len(np.unique(new_groups)))
    if folds < 2:
        return None
    vectors = np.concatenate([training, new]) * np.sqrt(training.shape[1] / 2)
    is_new = np.repeat([0, 1], [len(training), len(new)])
    scores = cross_val_predict(
        LogisticRegression(C=1.0, class_weight="balanced", max_iter=300),
        vectors,
        is_new,
        groups=np.concatenate([groups, new_groups]),
        cv=StratifiedGroupKFold(folds, shuffle=True, random_state=seed),
        method="decision_function",
    )
    return float(roc_auc_score(is_new, scores))


def share_above(training_errors: np.ndarray, new_errors: np.ndarray) -> tuple[float, int]:
    """The 99.5th percentile of the training's errors, and the number of new ones above it.

    >>> share_above(np.arange(1000.0), np.array([5.0, 999.5]))[1]
    1
    """
    limit = float(np.percentile(training_errors, PERCENTILE))
    return limit, int((new_errors > limit).sum())


def least_share(k: int, n: int, z: float = 1.96) -> float:
    """Lower end of Wilson's 95 % interval of the share k / n.

    >>> round(least_share(4, 43), 3), round(least_share(11, 34), 3), least_share(0, 10)
    (0.037, 0.191, 0.0)
    """
    if not n:
        return 0.0
    center, spread = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    return max(float((center - spread) / (n + z * z)), 0.0) if k else 0.0
