"""The ranking of scored tracks: scores in standard deviations, and the best of each row."""

import numpy as np

BACKGROUND = 2000  # tracks that give the mean and deviation of a listener's scores


def standardized(values: np.ndarray, n: int) -> np.ndarray:
    """Standardize the first `n` columns by the mean and deviation of the remaining columns, those of the background.

    >>> standardized(np.array([[3.0, 1.0, -1.0]]), 1)
    array([[3.]], dtype=float32)
    """
    background = values[:, n:]
    deviation = np.maximum(background.std(axis=1, keepdims=True), 1e-6)
    return ((values[:, :n] - background.mean(axis=1, keepdims=True)) / deviation).astype(np.float32)


def top(scores: np.ndarray, k: int) -> np.ndarray:
    """Find the columns of the `k` highest scores of each row, highest first.

    >>> top(np.array([[1.0, 3.0, 3.0]]), 2)
    array([[1, 2]])
    """
    k = min(k, scores.shape[1])
    columns = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)
