"""Who judges the labels of a catalog: the tracks of the reference, and every track scored by them.

Conventions
-----------
- Rows are those of the tracks with a label that can be checked, `TrackLabels`; places are those of the reference.
- The whole catalog is its own reference if it is small. Else tracks are scored in blocks, and of each block only what
  its findings show is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from audioae.progress import Progress
from audioae.screening.mislabeled.grouped_model import LabelNeighbors, Voters
from audioae.screening.mislabeled.label_model import CELLS, LabelModel, LabelScores, artist_blocks, artist_groups
from audioae.screening.mislabeled.labels import TrackLabels, Vectors, find_neighbors
from audioae.search.embeddings import EmbeddingTable
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex

DEPTH = 2  # neighbors to look up per vote: copies and tracks of the same artist do not vote
BLOCK = 1 << 14  # tracks that are looked up at a time

Lookup = Callable[[np.ndarray], LabelNeighbors]
"""Embeddings (m, dim) to their nearest tracks of the reference."""


class Scored(NamedTuple):
    """The scores of all tracks, and what is shown of the lowest, in ascending order of their scores.

    Attributes
    ----------
    score : np.ndarray, shape (n,), float32
    rows : np.ndarray, shape (m,), int
        The issues, or the `budget` lowest scores if there are fewer issues.
    other : np.ndarray, shape (m,), int
    votes, probability : np.ndarray, shape (m, 2)
    without_artist : np.ndarray, shape (m,)
        As in `LabelScores`.
    voters : Voters
        Their places in the reference.
    """

    score: np.ndarray
    rows: np.ndarray
    other: np.ndarray
    votes: np.ndarray
    probability: np.ndarray
    without_artist: np.ndarray
    voters: Voters


@dataclass(frozen=True, eq=False)
class Panel:
    """The reference of a catalog: its model, its labels and what finds neighbors in it; and the tracks to score.

    `groups` has a number for each track that those of one artist share (see `artist_groups`).
    """

    model: LabelModel
    lookup: Lookup
    own_labels: np.ndarray
    tracks: TrackLabels
    labels: np.ndarray
    groups: np.ndarray
    vectors: Vectors

    def score_all(self, weights: np.ndarray, threshold: float, budget: int, progress: Progress) -> Scored:
        """Score every track by the reference, block by block."""
        fitted = self.model.fit(self.own_labels)
        score, kept, done = np.empty(len(self.labels), np.float32), [], 0
        for block in artist_blocks(self.groups, max(self.model.n_labels, CELLS // BLOCK)):
            vectors = self.vectors.of(self.tracks.index_row[block])
            neighbors = self.lookup(vectors)
            recordings = self.tracks.recording[block]
            scores, voters = self.model.score_others(
                fitted, weights, vectors, neighbors, recordings, self.groups[block], self.labels[block]
            )
            score[block] = scores.score
            kept.append(_shown(scores, voters, block, threshold, budget))
            done += len(block)
            progress("comparing labels", done, len(self.labels))
        rows = _lowest(score, threshold, budget)
        columns = [np.concatenate(values) for values in zip(*kept, strict=True)]
        order = np.argsort(columns[0])
        places = order[np.searchsorted(columns[0], rows, sorter=order)]
        _, other, votes, probability, without_artist, voters, cosines = (values[places] for values in columns)
        return Scored(score, rows, other, votes, probability, without_artist, Voters(voters, cosines))


def make_panel(
    tracks: TrackLabels, labels: np.ndarray, judges: np.ndarray, n_labels: int, vectors: Vectors, k: int
) -> Panel:
    """The reference `judges`, rows of `tracks`, with all that scoring needs."""
    index_row = tracks.index_row[judges]
    groups = artist_groups(tracks.recording, tracks.artist)
    own = vectors.of(index_row)
    if len(judges) == len(labels):
        lookup, neighbors = _no_others, find_neighbors(vectors, index_row, DEPTH * k)
    else:
        lookup = _reference_lookup(own, DEPTH * k + 1)
        neighbors = _concatenated([lookup(own[start : start + BLOCK]) for start in range(0, len(own), BLOCK)])
    recordings, artists = tracks.recording[judges], tracks.artist[judges]
    model = LabelModel(own, neighbors, recordings, artists, n_labels, k, groups=groups[judges])
    return Panel(model, lookup, labels[judges], tracks, labels, groups, vectors)


def all_scored(model: LabelModel, scores: LabelScores, threshold: float, budget: int) -> Scored:
    """The result if the whole catalog is the reference."""
    rows = _lowest(scores.score, threshold, budget)
    columns = {name: getattr(scores, name)[rows] for name in ("other", "votes", "probability", "without_artist")}
    return Scored(scores.score, rows, **columns, voters=model.voters(rows))


def _lowest(score: np.ndarray, threshold: float, budget: int) -> np.ndarray:
    return np.argsort(score, kind="stable")[: max(budget, int((score < threshold).sum()))]


def _shown(scores: LabelScores, voters: Voters, block: np.ndarray, threshold: float, budget: int) -> tuple:
    """Rows of the issues and of the lowest scores of a block, and what is shown of them."""
    at = _lowest(scores.score, threshold, budget)
    columns = (scores.other, scores.votes, scores.probability, scores.without_artist, voters.rows, voters.scores)
    return block[at], *(values[at] for values in columns)


def _reference_lookup(vectors: np.ndarray, depth: int) -> Lookup:
    """A function that finds the `depth` nearest tracks of the reference, of which a track may be one itself."""
    table = EmbeddingTable([str(place) for place in range(len(vectors))], vectors, "reference")
    index = SearchIndex.build(table, IndexConfig())
    places = table.rows_of(index.ids)

    def lookup(queries: np.ndarray) -> LabelNeighbors:
        scores, rows = index.search(queries, depth)
        return LabelNeighbors(scores, np.where(rows >= 0, places[rows], -1).astype(np.int32))

    return lookup


def _no_others(queries: np.ndarray) -> LabelNeighbors:
    raise ValueError(f"got {len(queries)} tracks outside the reference, wanted none: it is the whole catalog")


def _concatenated(parts: list[LabelNeighbors]) -> LabelNeighbors:
    return LabelNeighbors(*(np.concatenate(values) for values in zip(*parts, strict=True)))
