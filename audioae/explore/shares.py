"""How often values occur in a selection, and whether that is more often than in the catalog.

Conventions
-----------
- A share is of all tracks, also of those without a value. Lift is the share in the selection, divided by that in the
  catalog; of a rare value it is large by chance.
- `log_odds` compares the odds in the selection with those in the rest, as if `PRIOR` tracks more of each had the
  catalog's shares; `z` is that in standard errors: above 2, a value is there more often than by chance.

Source: Monroe, Colaresi and Quinn, "Fightin' Words: Lexical Feature Selection and Evaluation for Identifying the
Content of Political Conflict", Political Analysis 16 (2008), eqs. 15 to 22.
"""

from typing import NamedTuple

import numpy as np

PRIOR = 5.0  # tracks


class Share(NamedTuple):
    """A value: how many tracks of the selection have it, their share, and how that compares with the catalog."""

    value: str
    n: int
    share: float
    lift: float
    log_odds: float
    z: float


class Compared(NamedTuple):
    """Of some categories: lift, log-odds and z, each of shape (n_categories,), float64."""

    lift: np.ndarray
    log_odds: np.ndarray
    z: np.ndarray


def compare(counts: np.ndarray, n: int, all_counts: np.ndarray, n_all: int) -> Compared:
    """Compare a selection with the rest of the catalog.

    Parameters
    ----------
    counts : np.ndarray, shape (n_categories,), int
        Tracks of the selection, of `n`.
    n : int
    all_counts : np.ndarray, shape (n_categories,), int
        Tracks of the catalog, of `n_all`; none is 0.
    n_all : int

    >>> compared = compare(np.array([9, 1]), 10, np.array([500, 1]), 1000)
    >>> compared.lift.round(1).tolist(), compared.z.round(1).tolist()
    ([1.8, 100.0], [2.0, 0.8])
    """
    counts, all_counts = np.asarray(counts, np.float64), np.asarray(all_counts, np.float64)
    lift = counts / n / (all_counts / n_all)
    prior = PRIOR * (all_counts + 0.5) / (n_all + 1)  # never all of it, for a value that all tracks have
    inside, outside = counts + prior, all_counts - counts + prior
    others_inside, others_outside = n + PRIOR - inside, n_all - n + PRIOR - outside
    log_odds = np.log(inside / others_inside) - np.log(outside / others_outside)
    error = np.sqrt(1 / inside + 1 / others_inside + 1 / outside + 1 / others_outside)
    return Compared(lift, log_odds, log_odds / error)
