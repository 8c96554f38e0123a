"""Metrics of item cold start: are new tracks recommended to the listeners who later played them?

Conventions
-----------
- Scores are (n_listeners, n_new), higher = better; `played` is bool of the same shape. A listener who played no new
  track is excluded.
- recall@k is hits / min(k, played new tracks). nDCG@k has gain 1 for each played track and the discount log2.
- coverage@k is the share of the new tracks that are in at least one listener's top k. popularity bias@k is the mean
  popularity rank (0 the least, 1 the most popular track) of the recommended tracks minus that of all new tracks: 0 is
  unbiased, 0.5 is the maximum.
- AUC of the audience: for each track, the area under the ROC curve of the scores of those who played it against those
  who did not; the mean over tracks.
- The baselines do not use sound. A new track has no plays, so its popularity is the mean of its artist's other tracks,
  or of its label's if the artist has none.

Source: Jarvelin and Kekalainen 2002 (nDCG).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from audioae.metrics.intervals import SHARE
from audioae.metrics.metric import Metric, MetricSet, mean_metric


@dataclass(frozen=True)
class Round:
    """One split: the rows of the new tracks, and who played which of them, (n_listeners, n_new), bool."""

    new: np.ndarray
    played: np.ndarray


def baseline_scores(
    plays: np.ndarray, new: np.ndarray, labels: np.ndarray, artists: np.ndarray, seed: int = 0
) -> dict[str, np.ndarray]:
    """Score new tracks with every baseline, each (n_listeners, n_new), float64.

    Parameters
    ----------
    plays : np.ndarray, shape (n_listeners, n)
        Weights; 0 where a track was not played, so for all new tracks.
    new : np.ndarray, shape (n_new,), int
    labels, artists : np.ndarray, shape (n,), str
        The catalog's; "" where unknown.
    seed : int
        Seed of the random baseline and of ties.
    """
    random = np.random.default_rng(seed).random((len(plays), len(new)))
    known = np.setdiff1d(np.arange(plays.shape[1]), new)
    per_track = (plays > 0).sum(axis=0).astype(float)
    of_artist, of_label = (_mean_by(column, per_track, known)[new] for column in (artists, labels))
    popularity = np.where(np.isnan(of_artist), np.nan_to_num(of_label), of_artist)
    by_label, by_artist = (_share_by(column, plays)[:, new] for column in (labels, artists))
    tie = 1e-9 * random
    return {
        "random": random,
        "popularity": np.tile(popularity, (len(plays), 1)) + tie,
        "label": by_label + tie,
        "popularity within label": by_label * (popularity + 1e-6) + tie,
        "artist, then label": by_artist + 1e-3 * by_label + tie,
    }


def measure(
    scores: Mapping[str, list[np.ndarray]], rounds: list[Round], popularity: np.ndarray, k: int = 10
) -> dict[str, MetricSet]:
    """Measure every method over all rounds together.

    Parameters
    ----------
    scores : mapping of str to list of np.ndarray
        For each method one array per round.
    rounds : list of Round
        All with the same listeners.
    popularity : np.ndarray, shape (n,)
        Number of plays of every track, or any increasing function of it.
    k : int
    """
    return {name: MetricSet(_metrics(by_round, rounds, popularity, k)) for name, by_round in scores.items()}


def ndcg(scores: np.ndarray, played: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute nDCG@k and recall@k of each listener (NaN without plays), and the recommended columns, (n_listeners, k).

    >>> ndcg(np.array([[3.0, 2.0, 1.0]]), np.array([[True, False, False]]), 2)[0]
    array([1.])
    """
    k = min(k, scores.shape[1])
    recommended = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(played, recommended, axis=1)
    discount = 1 / np.log2(np.arange(2, k + 2))
    possible = np.minimum(played.sum(axis=1), k)
    ideal = np.concatenate([[np.nan], np.cumsum(discount)])[possible]
    return hits @ discount / ideal, hits.sum(axis=1) / np.where(possible, possible, np.nan), recommended


def _metrics(scores: list[np.ndarray], rounds: list[Round], popularity: np.ndarray, k: int) -> tuple[Metric, ...]:
    rank = (rankdata(popularity) - 0.5) / len(popularity)
    listener = np.concatenate([np.arange(len(of_round)) for of_round in scores])
    parts, covered, biases, areas = [], [], [], []
    for of_round, split in zip(scores, rounds, strict=True):
        gain, recall, recommended = ndcg(of_round, split.played, k)
        parts.append((gain, recall))
        covered.append(np.isin(np.arange(len(split.new)), recommended).astype(float))
        biases.append(rank[split.new][recommended].mean(axis=1) - rank[split.new].mean())
        areas.append(_areas(of_round, split.played))
    gain, recall = (np.concatenate(column) for column in zip(*parts, strict=True))
    track = np.concatenate([split.new for split in rounds])
    return (
        mean_metric(f"nDCG@{k}", gain, listener, limits=SHARE, unit="listener"),
        mean_metric(f"recall@{k}", recall, listener, limits=SHARE, unit="listener"),
        mean_metric(f"coverage@{k}", np.concatenate(covered), track, limits=SHARE, unit="track"),
        mean_metric(f"popularity bias@{k}", np.concatenate(biases), listener, higher_is_better=None, unit="listener"),
        mean_metric("AUC of the audience", np.concatenate(areas), track, limits=SHARE, unit="track"),
    )


def _areas(scores: np.ndarray, played: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each track; NaN if all or none of the listeners played it."""
    ranks = np.apply_along_axis(rankdata, 0, scores)
    n_played = played.sum(axis=0)
    n_not = len(scores) - n_played
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((ranks * played).sum(axis=0) - n_played * (n_played + 1) / 2) / (n_played * n_not)


def _mean_by(column: np.ndarray, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """For every track, average `values` over those of `rows` that share its name; NaN if none does."""
    names, code = np.unique(column.astype(str), return_inverse=True)
    count = np.bincount(code[rows], minlength=len(names))
    total = np.bincount(code[rows], values[rows], minlength=len(names))
    mean = np.where((count > 0) & (names != ""), total / np.maximum(count, 1), np.nan)
    return mean[code]


def _share_by(column: np.ndarray, plays: np.ndarray) -> np.ndarray:
    """For every track, the share of a listener's plays that share its name, (n_listeners, n); 0 for unknown names."""
    names, code = np.unique(column.astype(str), return_inverse=True)
    share = np.stack([plays[:, code == i].sum(axis=1) for i in range(len(names))], axis=1)
    share[:, names == ""] = 0
    return (share / np.maximum(plays.sum(axis=1, keepdims=True), 1e-12))[:, code]
