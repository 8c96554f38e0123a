"""Draw the triplets of a listening test: a query X, and two tracks A and B of which one may sound more like X.

Conventions
-----------
- Tracks are rows of `vectors`; cosines are those of the embedding. A and B are never by X's artist, and never X's
  recording.
- The difficulty is how far apart A and B are in the ranking of X's other tracks by cosine:
  "easy" has one of the nearest 1 % and one of the farther half, "medium" one of the nearest 1 % and one from 5 to 20 %,
  "hard" two of the nearest 2 %.
- A catch trial has another excerpt of X's own track as one candidate and a track of the farther half as the other: who
  listens hears which, whatever the embedding says.
- A repeated trial comes back later with A and B exchanged.

Why ranks and not cosines: cosines of two models are not on one scale, so a fixed margin would be hard for one and easy
for the other.

Source: forced choice between two candidates by their similarity to a reference (XAB): Macmillan and Creelman 2005,
"Detection Theory", chapter 9.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from audioae.constants import CLIP_S
from audioae.errors import EvaluationError

Difficulty = Literal["easy", "medium", "hard", "catch"]
DIFFICULTIES: tuple[Difficulty, ...] = ("easy", "medium", "hard")
MIN_OTHERS = 12  # tracks by other artists than X's that a query needs
CATCH_SHARE, REPEAT_SHARE = 0.15, 0.2  # trials of these kinds, as shares of the pairs
MIN_EXTRA = 2  # trials of each of these kinds, at least
MIN_CATCH_S = 2 * CLIP_S  # a track this long has two excerpts that do not overlap


@dataclass(frozen=True)
class Heard:
    """An excerpt of a track: its row, and where the excerpt starts (None: its middle clip)."""

    row: int
    start_s: float | None = None


@dataclass(frozen=True)
class Triplet:
    """One trial: which of `a` and `b` sounds more like `x`?"""

    x: Heard
    a: Heard
    b: Heard
    difficulty: Difficulty
    repeated: bool = False

    def exchanged(self) -> "Triplet":
        """The same trial with A and B exchanged."""
        return replace(self, a=self.b, b=self.a)


def draw_triplets(
    vectors: np.ndarray,
    artists: np.ndarray,
    recordings: np.ndarray,
    durations_s: np.ndarray,
    pairs: int,
    seed: int = 0,
) -> list[Triplet]:
    """Draw the trials of a test in the order in which they are heard.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d), float32, rows of length 1
    artists, recordings : np.ndarray, shape (n,), int
        A number per artist and per recording; tracks whose artist is unknown have numbers of their own.
    durations_s : np.ndarray, shape (n,)
        NaN where unknown; catch trials use tracks of at least `MIN_CATCH_S`.
    pairs : int
        How many triplets, a third of each difficulty. Catch trials (15 %) and repeated ones (20 %) come on top.
    seed : int
        The same arguments give the same test.

    Raises
    ------
    EvaluationError
        If no track has `MIN_OTHERS` tracks by other artists.
    """
    rng = np.random.default_rng(seed)
    queries = rng.permutation(len(vectors))
    others = {int(x): _ranked(int(x), vectors, artists, recordings) for x in queries[: 4 * pairs]}
    usable = [x for x, ranked in others.items() if len(ranked) >= MIN_OTHERS]
    if not usable:
        most = max((len(ranked) for ranked in others.values()), default=0)
        raise EvaluationError(
            f"listening test: got {len(vectors)} tracks, of which a query has at most {most} by other artists; "
            f"wanted at least {MIN_OTHERS}; add tracks to the catalog"
        )
    regular = [
        _sided(_pair(usable[i % len(usable)], others[usable[i % len(usable)]], DIFFICULTIES[i % 3], rng), rng)
        for i in range(pairs)
    ]
    long = [x for x in reversed(usable) if durations_s[x] >= MIN_CATCH_S]
    catches = [_sided(_catch(x, others[x], durations_s[x], rng), rng) for x in long[: _extra(CATCH_SHARE, pairs)]]
    return _in_order(regular, catches, _extra(REPEAT_SHARE, pairs), rng)


def _ranked(x: int, vectors: np.ndarray, artists: np.ndarray, recordings: np.ndarray) -> np.ndarray:
    """The rows that may be compared with `x`, closest first."""
    allowed = np.flatnonzero((artists != artists[x]) & (recordings != recordings[x]))
    return allowed[np.argsort(-(vectors[allowed] @ vectors[x]), kind="stable")]


def _pair(x: int, ranked: np.ndarray, difficulty: Difficulty, rng: np.random.Generator) -> Triplet:
    n = len(ranked)
    near = max(3, round(0.01 * n))
    if difficulty == "hard":
        closer, farther = sorted(rng.choice(max(4, round(0.02 * n)), 2, replace=False).tolist())
    else:
        first = max(near, round(0.05 * n)) if difficulty == "medium" else n // 2
        last = max(first + 1, round(0.2 * n)) if difficulty == "medium" else n
        closer, farther = rng.integers(near), rng.integers(first, last)
    return Triplet(Heard(x), Heard(int(ranked[closer])), Heard(int(ranked[farther])), difficulty)


def _catch(x: int, ranked: np.ndarray, duration_s: float, rng: np.random.Generator) -> Triplet:
    apart = max(duration_s / 3, CLIP_S)
    start = (duration_s - apart - CLIP_S) / 2
    other = int(ranked[rng.integers(len(ranked) // 2, len(ranked))])
    return Triplet(Heard(x, round(start, 2)), Heard(x, round(start + apart, 2)), Heard(other), "catch")


def _sided(trial: Triplet, rng: np.random.Generator) -> Triplet:
    """The trial with its closer candidate on a random side."""
    return trial.exchanged() if rng.random() < 0.5 else trial


def _extra(share: float, pairs: int) -> int:
    return max(MIN_EXTRA, round(share * pairs))


def _in_order(regular: list[Triplet], catches: list[Triplet], repeats: int, rng: np.random.Generator) -> list[Triplet]:
    """All trials in random order; trials of the first half come back somewhere in the second."""
    once = regular + catches
    trials = [once[i] for i in rng.permutation(len(once))]
    half = len(trials) // 2
    early = [trial for trial in trials[:half] if trial.difficulty != "catch"]
    again = [early[i].exchanged() for i in rng.permutation(len(early))[:repeats]]
    late = [*trials[half:], *(replace(trial, repeated=True) for trial in again)]
    return trials[:half] + [late[i] for i in rng.permutation(len(late))]
