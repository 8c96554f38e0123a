"""How many copies are caught at a false-positive rate: the true-positive rate (TPR), with an interval, or no answer.

Conventions
-----------
- Negatives are the tracks of the catalog, which are assumed to be real; positives are held-out copies. All are log odds
  by detectors that were not trained on the artist.
- The limit of a rate is the value that this share of the negatives exceeds. With fewer than 1 / rate negatives there is
  no such value, and the answer is None: too few tracks to tell.
- The interval (95 %) is that of Wilson with the number of tracks, not of excerpts, at both ends of the limit's own
  interval, which is that of order statistics. Where the negatives do not bound the limit from above, it begins at 0.

Why the catalog's own tracks: a sample of 24 resynthesized tracks has 24 real ones, too few for a rate of 1 %.
Limits: a track is measured over its whole length and an excerpt over 3 or 6 s, whose log odds vary more; so above one
half, the TPR of whole tracks is higher than this one.

Source: Wilson 1927; Conover 1999, "Practical nonparametric statistics" (confidence interval for a quantile).
"""

import numpy as np
import scipy.stats

RATES = (0.01, 0.001)
_LEVEL = 0.95


def operating_points(copies: np.ndarray, track: np.ndarray, real: np.ndarray) -> dict[str, dict[str, float] | None]:
    """`true_positive_rate` at each of `RATES`, by the rate as text."""
    return {f"{rate:g}": true_positive_rate(copies, track, real, rate) for rate in RATES}


def true_positive_rate(copies: np.ndarray, track: np.ndarray, real: np.ndarray, rate: float) -> dict[str, float] | None:
    """The share of copies above the limit that a share of real tracks exceeds.

    Parameters
    ----------
    copies : np.ndarray, shape (n,)
        Log odds.
    track : np.ndarray, shape (n,), int
        The track of each copy.
    real : np.ndarray, shape (m,)
        Log odds of real tracks.
    rate : float
        The false-positive rate.

    Returns
    -------
    point : dict of "tpr", "low" and "high", or None
        None if there are no copies, or too few real tracks.

    >>> point = true_positive_rate(np.arange(100) + 950.0, np.arange(100), np.arange(1000.0), 0.01)
    >>> {name: round(value, 2) for name, value in point.items()}
    {'tpr': 0.6, 'low': 0.44, 'high': 0.75}
    >>> true_positive_rate(np.ones(9), np.arange(9), np.arange(99.0), 0.01) is None
    True
    """
    if not len(copies) or len(real) * rate < 1 or np.isnan(copies).any():
        return None
    descending, n_tracks = np.sort(real)[::-1], len(np.unique(track))
    most, fewest = scipy.stats.binom.ppf([(1 + _LEVEL) / 2, (1 - _LEVEL) / 2], len(real), rate).astype(int)
    limits = [_limit(descending, n) for n in (int(len(real) * rate), most, fewest)]
    tpr, above_lowest, above_highest = (float(np.mean(copies > limit)) for limit in limits)
    return {"tpr": tpr, "low": _wilson(above_highest, n_tracks)[0], "high": _wilson(above_lowest, n_tracks)[1]}


def _limit(descending: np.ndarray, n_above: int) -> float:
    """The smallest limit that `n_above` values exceed; no limit is known that less than one does."""
    return float(descending[min(n_above, len(descending) - 1)]) if n_above >= 1 else np.inf


def _wilson(share: float, n: int) -> tuple[float, float]:
    z = float(scipy.stats.norm.isf((1 - _LEVEL) / 2))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))
