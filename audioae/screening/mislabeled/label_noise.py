"""Self-test with label noise: how well does the check find labels that were swapped on purpose in this very catalog?

Conventions
-----------
- A share of the tracks gets another label, in a copy and by a seed: any other label (random), the label that theirs is
  most often confused with (confusable), or one wrong label per album (albums). The copy is scored like the catalog, and
  the swapped tracks should have the lowest scores. Small catalogs are tested in several rounds.
- Labels that were wrong before count as false alarms when they are found, so the figures are too low by that much.
- Calibration uses the random and confusable swaps together: how often was a track with this score swapped? It holds for
  a catalog in which that share of the labels is wrong. If fewer are, more findings are false alarms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import average_precision_score

from audioae.progress import Advance
from audioae.screening.mislabeled.label_model import LabelModel, LabelScores
from audioae.screening.steps import Steps

ENOUGH = 1000  # swapped tracks of a kind that make its figures steady
MAX_ROUNDS = 20
NOTE = "labels that are already wrong count as false alarms"


@dataclass(frozen=True, eq=False)
class LabelNoiseTest:
    """The result of the self-test.

    Parameters
    ----------
    document : mapping
        For each kind of swap: average_precision and its chance level, precision and recall among the `budget` lowest
        scores, suggested_right (the share of swapped tracks for which the right label was suggested), planted (tracks
        swapped per round) and rounds.
    score, swapped, suggested_right : np.ndarray, shape (m,)
        For all tracks of all random and confusable rounds: the score, whether the label was swapped, and whether the
        right label was suggested.
    """

    document: Mapping[str, Any]
    score: np.ndarray
    swapped: np.ndarray
    suggested_right: np.ndarray

    def threshold(self, precision: float) -> float:
        """The score below which a track is wrong with a probability of at least `precision`; 0 if there is none."""
        likely = _falling(self.score, self.swapped)(self.score) >= precision
        if not likely.any():
            return 0.0
        last = self.score[likely].max()
        above = self.score[self.score > last]
        return float(last + above.min()) / 2 if len(above) else 1.0

    def confidence(self, score: np.ndarray) -> np.ndarray:
        """The probability, shape of `score`, that a track is wrong and that the suggested label is right."""
        return _falling(self.score, self.swapped & self.suggested_right)(score).astype(np.float32)


def _no_progress(done: int, total: int) -> None:
    pass


def inject_label_noise(
    model: LabelModel,
    labels: np.ndarray,
    scores: LabelScores,
    albums: np.ndarray,
    *,
    share: float = 0.08,
    budget: int = 200,
    seed: int = 0,
    progress: Advance = _no_progress,
    steps: Steps | None = None,
) -> LabelNoiseTest:
    """Swap labels in a copy, score it, and measure how many of the swaps have low scores.

    Parameters
    ----------
    model : LabelModel
    labels : np.ndarray, shape (n,), int
    scores : LabelScores
        Scores of `labels` by `model`: they say which labels are confused with which.
    albums : np.ndarray, shape (n,), int
        -1 where the album is not known.
    share : float
        Share of the tracks that get another label.
    budget : int
        Number of tracks that a person would look at; at most a tenth of the catalog.
    seed : int
    steps : Steps, optional
        A round is a step.
    """
    steps = steps or Steps()
    n_swaps = max(round(share * len(labels)), 1)
    n_rounds = int(np.clip(-(-ENOUGH // n_swaps), 1, MAX_ROUNDS))
    budget = min(budget, max(len(labels) // 10, 1))
    kinds = ["random", "confusable"] + ["albums"] * bool((np.bincount(albums[albums >= 0]) > 1).any())
    document: dict[str, Any] = {"share": share, "note": NOTE}
    for_calibration: list[tuple[np.ndarray, ...]] = []
    for i, kind in enumerate(kinds):
        rng = np.random.default_rng([seed, i])
        figures = []
        for j in range(n_rounds):
            noisy = swap_labels(labels, kind, n_swaps, rng, scores.confusion, albums)
            score, other = _score(model, noisy, steps, f"{kind} {j}")
            swapped, suggested_right = noisy != labels, other == labels
            figures.append(_figures(score, swapped, suggested_right, budget))
            if kind != "albums":
                for_calibration.append((score, swapped, suggested_right))
            progress(i * n_rounds + j + 1, len(kinds) * n_rounds)
        means = {key: float(np.mean([figure[key] for figure in figures])) for key in figures[0]}
        document[kind] = {**means, "budget": budget, "rounds": n_rounds}
    return LabelNoiseTest(document, *(np.concatenate(column) for column in zip(*for_calibration, strict=True)))


def _score(model: LabelModel, noisy: np.ndarray, steps: Steps, step: str) -> tuple[np.ndarray, np.ndarray]:
    """Score and suggested label of every track, shape (n,), from the store if this round is finished."""
    if finished := steps.load(step):
        return finished["score"], finished["other"]
    scores = model.score(noisy)
    steps.save(step, {"score": scores.score, "other": scores.other})
    return scores.score, scores.other


def swap_labels(
    labels: np.ndarray, kind: str, n: int, rng: np.random.Generator, confusion: np.ndarray, albums: np.ndarray
) -> np.ndarray:
    """A copy of `labels` in which `n` tracks have another one; for albums, as many whole albums as reach `n`."""
    noisy, n_labels = labels.copy(), len(confusion)
    if kind == "albums":
        known = np.flatnonzero(albums >= 0)
        sizes = np.bincount(albums[known])
        order = rng.permutation(np.flatnonzero(sizes > 1))
        order = order[: np.searchsorted(np.cumsum(sizes[order]), n) + 1]
        shift = np.zeros(len(sizes), np.int64)
        shift[order] = rng.integers(1, n_labels, len(order))
        noisy[known] = (labels[known] + shift[albums[known]]) % n_labels
        return noisy
    rows = rng.choice(len(labels), n, replace=False)
    if kind == "random":
        noisy[rows] = (labels[rows] + rng.integers(1, n_labels, n)) % n_labels
    else:
        noisy[rows] = (confusion - 2 * np.eye(n_labels)).argmax(axis=1)[labels[rows]]
    return noisy


def _figures(score: np.ndarray, swapped: np.ndarray, suggested_right: np.ndarray, budget: int) -> dict[str, float]:
    hits = swapped[np.argsort(score, kind="stable")[:budget]].sum()
    return {
        "average_precision": float(average_precision_score(swapped, -score)),
        "chance": float(swapped.mean()),
        "precision_at_budget": float(hits / budget),
        "recall_at_budget": float(hits / swapped.sum()),
        "suggested_right": float(suggested_right[swapped].mean()),
        "planted": float(swapped.sum()),
    }


def _falling(score: np.ndarray, happened: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The frequency of an event as a function of the score that never rises."""
    fitted = IsotonicRegression(y_min=0, y_max=1, increasing=False, out_of_bounds="clip").fit(score, happened)
    return fitted.predict
