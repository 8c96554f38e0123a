"""The tracks of an answer in the order of a walk: each sounds like the one before it, and like what was asked.

Conventions
-----------
- The first track is the closest to the query. The next is, of those left, the one with the greatest sum of its cosines
  to the track before and to the query. Ranks are the order of the walk; scores remain cosines to the query.

Source: the nearest-neighbor heuristic of the traveling salesman problem, with a pull to the query.
"""

from dataclasses import replace

import numpy as np

from audioae.library.generation import Generation
from audioae.similarity.answer import Answer


def walk(to_query: np.ndarray, embeddings: np.ndarray) -> list[int]:
    """An order of n tracks.

    Parameters
    ----------
    to_query : np.ndarray, shape (n,)
        Cosines to the query.
    embeddings : np.ndarray, shape (n, dim), rows of length 1

    >>> walk(np.array([0.9, 0.6, 0.8]), np.array([[1.0, 0.0], [0.9, 0.44], [0.0, 1.0]]))
    [0, 1, 2]
    """
    order: list[int] = []
    left = np.ones(len(to_query), bool)
    worth = to_query
    while left.any():
        best = int(np.argmax(np.where(left, worth, -np.inf)))
        order.append(best)
        left[best] = False
        worth = to_query + embeddings @ embeddings[best]
    return order


def in_walk_order(library: Generation, answer: Answer) -> Answer:
    """The same neighbors, in the order of a walk."""
    neighbors = answer.neighbors
    rows = library.lookup.rows_of([neighbor.track_id for neighbor in neighbors])
    embeddings = library.index.embeddings(library.alignment.index_row[rows])
    order = walk(np.array([neighbor.score for neighbor in neighbors]), embeddings)
    return replace(answer, neighbors=[replace(neighbors[i], rank=rank) for rank, i in enumerate(order, 1)])
