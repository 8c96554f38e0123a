"""Cold start: are tracks that nobody had played found for those who went on to play them?

Conventions
-----------
- Scores are (n_listeners, n_new), higher = sooner; `played` is bool of the same shape. A listener who played no new
  track has no say.
- recall@k is of what can be found: hits / min(k, tracks played). nDCG@k: gain 1 for each track played, discount log2.
- coverage@k: share of the new tracks that stand in somebody's top k. popularity bias@k: mean rank of popularity (0 the
  least, 1 the most popular track) of what is recommended, less that of all new tracks: 0 is none, 0.5 the most.
- AUC of the audience: of those who played a track against those who did not, by their scores for it; mean over tracks.
- Baselines know nothing of sound. A new track has no plays, so its popularity is that of its artist's other tracks, and
  of its label's where the artist has none.

Source: Jarvelin and Kekalainen 2002 (nDCG).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from audioae.metrics.metric import Metric, MetricSet, mean_metric


@dataclass(frozen=True)
class Round:
    """One split: the rows of the new tracks, and who played which of them, shape (n_listeners, n_new), bool."""

    new: np.ndarray
    played: np.ndarray


def baseline_scores(
    plays: np.ndarray, new: np.ndarray, labels: np.ndarray, artists: np.ndarray, seed: int = 0
) -> dict[str, np.ndarray]:
    """Scores of every baseline, each (n_listeners, n_new), float64.

    Parameters
    ----------
    plays : np.ndarray, shape (n_listeners, n)
        Weights; 0 where a track was not played, as for all that is new.
    new : np.ndarray, shape (n_new,), int
    labels, artists : np.ndarray, shape (n,), str
        As the catalog claims; "" where not known.
    """
    lot = np.random.default_rng(seed).random((len(plays), len(new)))
    known = np.setdiff1d(np.arange(plays.shape[1]), new)
    per_track = (plays > 0).sum(axis=0).astype(float)
    of_artist, of_label = (_mean_by(column, per_track, known)[new] for column in (artists, labels))
    popularity = np.where(np.isnan(of_artist), np.nan_to_num(of_label), of_artist)
    by_label, by_artist = (_share_by(column, plays)[:, new] for column in (labels, artists))
    tie = 1e-9 * lot
    return {
        "random": lot,
        "popularity": np.tile(popularity, (len(plays), 1)) + tie,
        "label": by_label + tie,
        "popularity within label": by_label * (popularity + 1e-6) + tie,
        "artist, then label": by_artist + 1e-3 * by_label + tie,
    }


def measure(
    scores: Mapping[str, list[np.ndarray]], rounds: list[Round], popularity: np.ndarray, k: int = 10
) -> dict[str, MetricSet]:
    """All metrics of every method, over all rounds together.

    Parameters
    ----------
    scores : mapping of str to list of np.ndarray
        Per method one array per round.
    rounds : list of Round
        All of the same listeners.
    popularity : np.ndarray, shape (n,)
        Plays, or a rank of them, of every track.
    """
    return {name: MetricSet(_metrics(own, rounds, popularity, k)) for name, own in scores.items()}


def ndcg(scores: np.ndarray, played: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """nDCG@k and recall@k of each listener, NaN for one who played nothing; and the columns shown, (n_listeners, k).

    >>> ndcg(np.array([[3.0, 2.0, 1.0]]), np.array([[True, False, False]]), 2)[0]
    array([1.])
    """
    k = min(k, scores.shape[1])
    shown = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(played, shown, axis=1)
    discount = 1 / np.log2(np.arange(2, k + 2))
    findable = np.minimum(played.sum(axis=1), k)
    ideal = np.concatenate([[np.nan], np.cumsum(discount)])[findable]
    return hits @ discount / ideal, hits.sum(axis=1) / np.where(findable, findable, np.nan), shown


def _metrics(scores: list[np.ndarray], rounds: list[Round], popularity: np.ndarray, k: int) -> tuple[Metric, ...]:
    rank = (rankdata(popularity) - 0.5) / len(popularity)
    listener = np.concatenate([np.arange(len(own)) for own in scores])
    parts, shares, biases, areas = [], [], [], []
    for own, split in zip(scores, rounds, strict=True):
        gain, recall, shown = ndcg(own, split.played, k)
        parts.append((gain, recall))
        present = np.isin(np.arange(len(split.new)), shown)
        shares.append(present.astype(float))
        biases.append(rank[split.new][shown].mean(axis=1) - rank[split.new].mean())
        areas.append(_areas(own, split.played))
    gain, recall = (np.concatenate(column) for column in zip(*parts, strict=True))
    share, area = np.concatenate(shares), np.concatenate(areas)
    track = np.concatenate([split.new for split in rounds])
    return (
        mean_metric(f"nDCG@{k}", gain, listener),
        mean_metric(f"recall@{k}", recall, listener),
        mean_metric(f"coverage@{k}", share, track),
        mean_metric(f"popularity bias@{k}", np.concatenate(biases), listener, higher_is_better=None),
        mean_metric("AUC of the audience", area, track),
    )


def _areas(scores: np.ndarray, played: np.ndarray) -> np.ndarray:
    """Per track, NaN where all or none of the listeners played it."""
    ranks = np.apply_along_axis(rankdata, 0, scores)
    n_played = played.sum(axis=0)
    n_not = len(scores) - n_played
    with np.errstate(invalid="ignore", divide="ignore"):
        return ((ranks * played).sum(axis=0) - n_played * (n_played + 1) / 2) / (n_played * n_not)


def _mean_by(column: np.ndarray, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """For every track the mean of `values` over those of `rows` with its name; NaN where there are none."""
    names, code = np.unique(column.astype(str), return_inverse=True)
    count = np.bincount(code[rows], minlength=len(names))
    total = np.bincount(code[rows], values[rows], minlength=len(names))
    mean = np.where((count > 0) & (names != ""), total / np.maximum(count, 1), np.nan)
    return mean[code]


def _share_by(column: np.ndarray, plays: np.ndarray) -> np.ndarray:
    """What share of a listener's plays has each track's name, (n_listeners, n); 0 for names not known."""
    names, code = np.unique(column.astype(str), return_inverse=True)
    share = np.stack([plays[:, code == i].sum(axis=1) for i in range(len(names))], axis=1)
    share[:, names == ""] = 0
    return (share / np.maximum(plays.sum(axis=1, keepdims=True), 1e-12))[:, code]
