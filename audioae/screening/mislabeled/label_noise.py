"""Planted label swaps: how good is the search for wrong labels in this very catalog?

Conventions
-----------
- A share of the tracks gets another label, in a copy, by a seed: any other one (random), the one that their own is
  most confused with (confusable), or whole albums get one (albums). All are judged anew, and those planted should be
  what is found. Small catalogs are planted several times over.
- Labels that were wrong before are counted as false alarms when they are found: the figures are too low by as much.
- Calibration is by the tracks of random and confusable swaps together: how often was a track of this score planted?
  It holds for a catalog of which that share is wrong. Where fewer are, more of what is found is right as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import average_precision_score

from audioae.screening.mislabeled.label_model import LabelModel, LabelScores

ENOUGH = 1000  # planted tracks of a kind that make its figures steady
MAX_ROUNDS = 20
NOTE = "labels that are wrong already count as false alarms here"


@dataclass(frozen=True, eq=False)
class LabelNoiseTest:
    """What came of it.

    Parameters
    ----------
    document : mapping
        By kind: average_precision and the chance level of it, precision and recall among the `budget` lowest scores,
        the share of planted tracks that their own label was suggested for, and how many were planted how often.
    score, wrong, named : np.ndarray, shape (m,)
        Of all tracks of all random and confusable swaps: the score, whether its label was planted, and whether its own
        label was suggested for it.
    """

    document: Mapping[str, Any]
    score: np.ndarray
    wrong: np.ndarray
    named: np.ndarray

    def threshold(self, precision: float) -> float:
        """Below it, a track of this very score is wrong with at least probability `precision`; 0 if none is."""
        probability = _falling(self.score, self.wrong)(self.score)
        wrong = probability >= precision
        if not wrong.any():
            return 0.0
        last = self.score[wrong].max()
        above = self.score[self.score > last]
        return float(last + above.min()) / 2 if len(above) else 1.0

    def confidence(self, score: np.ndarray) -> np.ndarray:
        """The probability, shape of `score`, that such a track is wrong and what is suggested is right."""
        return _falling(self.score, self.wrong & self.named)(score).astype(np.float32)


def inject_label_noise(
    jury: LabelModel,
    labels: np.ndarray,
    opinion: LabelScores,
    albums: np.ndarray,
    *,
    share: float = 0.08,
    budget: int = 200,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> LabelNoiseTest:
    """Swap labels, look for them, and say how many were found.

    Parameters
    ----------
    jury : Jury
    labels : np.ndarray, shape (n,), int
    opinion : Opinion
        Of `jury` on `labels`: it says what is confused with what.
    albums : np.ndarray, shape (n,), int
        -1 where the album is not known.
    share : float
        Of the tracks that get another label.
    budget : int
        How many a person would look at; a tenth of the catalog at most.
    seed : int
    """
    n_planted = max(round(share * len(labels)), 1)
    n_rounds = int(np.clip(-(-ENOUGH // n_planted), 1, MAX_ROUNDS))
    budget = min(budget, max(len(labels) // 10, 1))
    kinds = ["random", "confusable"] + ["albums"] * bool((np.bincount(albums[albums >= 0]) > 1).any())
    document: dict[str, Any] = {"share": share, "note": NOTE}
    kept: list[tuple[np.ndarray, ...]] = []
    for i, kind in enumerate(kinds):
        rng = np.random.default_rng([seed, i])
        figures = []
        for j in range(n_rounds):
            swapped = swap_labels(labels, kind, n_planted, rng, opinion.confusion, albums)
            judged = jury.judge(swapped)
            wrong, named = swapped != labels, judged.other == labels
            figures.append(_figures(judged.score, wrong, named, budget))
            if kind != "albums":
                kept.append((judged.score, wrong, named))
            report(i * n_rounds + j + 1, len(kinds) * n_rounds)
        means = {key: float(np.mean([figure[key] for figure in figures])) for key in figures[0]}
        document[kind] = {**means, "budget": budget, "rounds": n_rounds}
    return LabelNoiseTest(document, *(np.concatenate(column) for column in zip(*kept, strict=True)))


def swap_labels(
    labels: np.ndarray, kind: str, n: int, rng: np.random.Generator, confusion: np.ndarray, albums: np.ndarray
) -> np.ndarray:
    """A copy of `labels` in which `n` tracks have another one; of whole albums as many as reach `n`."""
    swapped, n_labels = labels.copy(), len(confusion)
    if kind == "albums":
        known = np.flatnonzero(albums >= 0)
        sizes = np.bincount(albums[known])
        order = rng.permutation(np.flatnonzero(sizes > 1))
        order = order[: np.searchsorted(np.cumsum(sizes[order]), n) + 1]
        shift = np.zeros(len(sizes), np.int64)
        shift[order] = rng.integers(1, n_labels, len(order))
        swapped[known] = (labels[known] + shift[albums[known]]) % n_labels
        return swapped
    rows = rng.choice(len(labels), n, replace=False)
    if kind == "random":
        swapped[rows] = (labels[rows] + rng.integers(1, n_labels, n)) % n_labels
    else:
        swapped[rows] = (confusion - 2 * np.eye(n_labels)).argmax(axis=1)[labels[rows]]
    return swapped


def _figures(score: np.ndarray, wrong: np.ndarray, named: np.ndarray, budget: int) -> dict[str, float]:
    found = wrong[np.argsort(score, kind="stable")[:budget]].sum()
    return {
        "average_precision": float(average_precision_score(wrong, -score)),
        "chance": float(wrong.mean()),
        "precision_at_budget": float(found / budget),
        "recall_at_budget": float(found / wrong.sum()),
        "suggested_right": float(named[wrong].mean()),
        "planted": float(wrong.sum()),
    }


def _falling(score: np.ndarray, happened: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """How often it happens at a score; never more often at a higher one."""
    fitted = IsotonicRegression(y_min=0, y_max=1, increasing=False, out_of_bounds="clip").fit(score, happened)
    return fitted.predict
