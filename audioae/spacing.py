"""A few positions out of many, evenly spaced: for samples that must be the same in every run."""

import numpy as np


def evenly_spaced(n: int, k: int | None = None, *, ends: bool = False) -> np.ndarray:
    """Choose `k` of the positions 0 to `n` - 1, spread over the whole range, from the first on.

    Parameters
    ----------
    n : int
        Number of positions to choose from.
    k : int, optional
        How many to choose; all if it is None or at least `n`.
    ends : bool
        Whether to include the last position. The first is always included.

    Returns
    -------
    positions : np.ndarray, shape (min(n, k),), int64
        Ascending and distinct.

    Raises
    ------
    ValueError
        If `n` or `k` is negative.

    >>> evenly_spaced(10, 4)
    array([0, 2, 5, 7])
    >>> evenly_spaced(10, 4, ends=True)
    array([0, 3, 6, 9])
    """
    if n < 0 or (k is not None and k < 0):
        raise ValueError(f"evenly_spaced: got n={n}, k={k}; both must be 0 or more")
    if k is None or k >= n:
        return np.arange(n, dtype=np.int64)
    if ends:
        return np.linspace(0, n - 1, k).round().astype(np.int64)
    return np.arange(k, dtype=np.int64) * n // k
