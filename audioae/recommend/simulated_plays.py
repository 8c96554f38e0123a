"""A play log made up: listeners with one to three tastes, popularity, noise, and tastes that change.

Conventions
-----------
- Tastes come from facts about the tracks, never from embeddings: a model that is measured on such a log gains nothing
  from having made it. A taste begins at a track (a popular one more likely) and is, by lot, one of
  - a style: every track of the style;
  - a circle: the tracks of the artist and of up to three others of the style;
  - a mood: tracks of any style with nearly the same numbers (tempo, energy ...): a bell of `MOOD` standard deviations.
- Popularity is log-normal: one factor per artist and one per track. It multiplies every choice.
- Every play is of one of the listener's tastes, or, with probability `noise`, of any track by popularity alone.
- Each taste has a share now and one a year ago; between them it changes evenly. Plays fall evenly over the year.

Why facts that no embedding has a monopoly of: with tastes that are styles alone, labels cannot be beaten; with tastes
drawn around embeddings, embeddings cannot. The three kinds are drawn equally often.
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
    """One entry per play: rows of listener and track, age in days before now; and each track's popularity."""

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
    """Draw a play log.

    Parameters
    ----------
    styles, artists : np.ndarray, shape (n,), str
    numbers : sequence of np.ndarray, shape (n,)
        What moods are made of, in any unit; NaN is taken as the mean. Without any, there are no moods.
    n_listeners, n_plays : int
        How many listeners, and plays of each on average (Poisson).
    noise : float
        Share of plays that have nothing to do with tastes.
    seed : int

    Raises
    ------
    EvaluationError
        If there are fewer than two tracks or two styles, or a setting makes no sense.
    """
    n = len(styles)
    if n < 2 or len(set(styles.tolist())) < 2:
        raise EvaluationError(
            f"a play log of {n} tracks of {len(set(styles.tolist()))} styles; wanted at least 2 of each"
        )
    if n_listeners < 1 or n_plays < 1 or not 0 <= noise <= 1:
        raise EvaluationError(f"n_listeners={n_listeners}, n_plays={n_plays}, noise={noise}: wanted >= 1, >= 1, 0 to 1")
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
        chances = np.cumsum((1 - noise) * share @ tastes + noise * popularity, axis=1)
        tracks.append((rng.random((len(age), 1)) * chances[:, -1:] < chances).argmax(axis=1))
        ages.append(age * YEAR)
    listener = np.repeat(np.arange(n_listeners), [len(age) for age in ages])
    return SimulatedPlays(listener, np.concatenate(tracks), np.concatenate(ages), popularity)


def _taste(
    rng: np.random.Generator, styles: np.ndarray, artists: np.ndarray, moods: np.ndarray, popularity: np.ndarray
) -> np.ndarray:
    """Chance of each track under a new taste, shape (n,), summing to 1."""
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
    """Shape (n, len(numbers)): mean 0, deviation 1, NaN as 0."""
    columns = [np.nan_to_num((column - np.nanmean(column)) / max(np.nanstd(column), 1e-9)) for column in numbers]
    return np.stack(columns, axis=1) if columns else np.zeros((0, 0))
