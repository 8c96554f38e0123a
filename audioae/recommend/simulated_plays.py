"""Simulated play logs: listeners with one to three tastes that change over time, popularity, and noise.

Conventions
-----------
- Tastes derive from facts about the tracks, never from embeddings, so no evaluated model has an advantage. A taste
  starts at a random track (popular ones are more likely) and is of one of three kinds:
  - style: all tracks of the style;
  - circle: the tracks of the artist and of up to three other artists of the style;
  - mood: tracks of any style with similar numbers (tempo, energy ...), weighted by a Gaussian of `MOOD` standard
    deviations.
- Popularity is log-normal, with one factor per artist and one per track. It multiplies every probability.
- A play follows one of the listener's tastes or, with probability `noise`, popularity alone.
- The share of each taste changes linearly from a year ago to now. Plays are uniform over the year.

Why three kinds: if tastes were only styles, no method could beat labels; if they were drawn around embeddings, no
method could beat those embeddings. The three kinds are equally likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioae.errors import EvaluationError

YEAR = 365.0
MOOD = 0.6
ARTIST_DEVIATION = TRACK_DEVIATION = 0.7
MAX_TASTES = 3


@dataclass(frozen=True)
class SimulatedPlays:
    """One entry per play: rows of listener and track, and age in days; and the popularity of each track."""

    listener: np.ndarray
    track: np.ndarray
    age_days: np.ndarray
    popularity: np.ndarray


def simulate_plays(
    styles: np.ndarray,
    artists: np.ndarray,
    numbers: Sequence[np.ndarray],
    *,
    n_listeners: int = 300,
    n_plays: int = 150,
    noise: float = 0.15,
    seed: int = 0,
) -> SimulatedPlays:
    """Simulate a play log.

    Parameters
    ----------
    styles, artists : np.ndarray, shape (n,), str
    numbers : sequence of np.ndarray, shape (n,)
        Numbers that define moods, in any unit; NaN counts as the mean. Without any, no taste is a mood.
    n_listeners, n_plays : int
        Number of listeners, and the mean number of plays of each (Poisson).
    noise : float
        Share of the plays that follow no taste.
    seed : int

    Raises
    ------
    EvaluationError
        If there are fewer than two tracks or two styles, or a setting is out of range.
    """
    n, n_styles = len(styles), len(set(styles.tolist()))
    if n < 2 or n_styles < 2:
        raise EvaluationError(f"simulated plays: got {n} tracks of {n_styles} styles, wanted at least 2 of each")
    if n_listeners < 1 or n_plays < 1 or not 0 <= noise <= 1:
        raise EvaluationError(
            f"simulated plays: got n_listeners={n_listeners}, n_plays={n_plays}, noise={noise}; "
            "wanted n_listeners >= 1, n_plays >= 1 and 0 <= noise <= 1"
        )
    rng = np.random.default_rng(seed)
    names, artist = np.unique(artists.astype(str), return_inverse=True)
    popularity = np.exp(
        ARTIST_DEVIATION * rng.standard_normal(len(names))[artist] + TRACK_DEVIATION * rng.standard_normal(n)
    )
    popularity /= popularity.sum()
    moods = _standardized(numbers)
    tracks, ages = [], []
    for _ in range(n_listeners):
        n_tastes = rng.integers(1, MAX_TASTES + 1)
        tastes = np.stack([_taste(rng, styles, artists, moods, popularity) for _ in range(n_tastes)])
        now, then = rng.dirichlet(np.full(n_tastes, 2.0), size=2)
        age = rng.random(max(1, rng.poisson(n_plays)))
        share = (1 - age)[:, None] * now + age[:, None] * then
        cumulative = np.cumsum((1 - noise) * share @ tastes + noise * popularity, axis=1)
        tracks.append((rng.random((len(age), 1)) * cumulative[:, -1:] < cumulative).argmax(axis=1))
        ages.append(age * YEAR)
    listener = np.repeat(np.arange(n_listeners), [len(age) for age in ages])
    return SimulatedPlays(listener, np.concatenate(tracks), np.concatenate(ages), popularity)


def _taste(
    rng: np.random.Generator, styles: np.ndarray, artists: np.ndarray, moods: np.ndarray, popularity: np.ndarray
) -> np.ndarray:
    """Draw a taste: the probability of each track, shape (n,)."""
    start = rng.choice(len(styles), p=popularity)
    style = styles == styles[start]
    kind = rng.integers(3 if moods.shape[1] else 2)
    if kind == 0:
        liked = style.astype(float)
    elif kind == 1:
        circle = rng.permutation(np.unique(artists[style]))[:3]
        liked = np.isin(artists, [*circle, artists[start]]).astype(float)
    else:
        liked = np.exp(-0.5 * np.square((moods - moods[start]) / MOOD).sum(axis=1))
    return liked * popularity / (liked @ popularity)


def _standardized(numbers: Sequence[np.ndarray]) -> np.ndarray:
    """Stack the numbers with mean 0, deviation 1 and NaN as 0: shape (n, len(numbers))."""
    columns = [np.nan_to_num((column - np.nanmean(column)) / max(np.nanstd(column), 1e-9)) for column in numbers]
    return np.stack(columns, axis=1) if columns else np.zeros((0, 0))
