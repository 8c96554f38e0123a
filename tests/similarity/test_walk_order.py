"""The order of a walk: the same tracks, another order."""

from pathlib import Path

import numpy as np

from audioae.api import Library
from audioae.similarity.answer import Answer
from audioae.similarity.walk_order import in_walk_order, walk
from tests.stores import made_store


def test_each_track_is_the_best_of_those_left():
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((30, 128))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    to_query = embeddings @ embeddings[0]
    order = walk(to_query, embeddings)
    assert sorted(order) == list(range(30))
    assert order[0] == int(np.argmax(to_query))
    for place in range(1, 30):
        worth = {i: to_query[i] + embeddings[i] @ embeddings[order[place - 1]] for i in order[place:]}
        assert worth[order[place]] == max(worth.values())


def test_an_answer_keeps_its_tracks_and_scores(tmp_path: Path):
    library = Library(made_store(tmp_path / "store", 30, same_bytes={20: 3}))
    answer = library.similar("t00", k=12)
    walked = in_walk_order(library, answer)
    assert {(n.track_id, n.score) for n in walked.neighbors} == {(n.track_id, n.score) for n in answer.neighbors}
    assert [n.rank for n in walked.neighbors] == list(range(1, 13))
    assert walked.neighbors[0].track_id == answer.neighbors[0].track_id
    assert (walked.seeds, walked.n_matching, walked.short) == (answer.seeds, answer.n_matching, answer.short)

    def mean_step(neighbors) -> float:
        vectors = np.stack([library.embedding_of(library.find(n.track_id)) for n in neighbors])
        return float(np.mean(np.arccos(np.clip(np.einsum("ij,ij->i", vectors[:-1], vectors[1:]), -1, 1))))

    assert mean_step(walked.neighbors) < mean_step(answer.neighbors)


def test_an_empty_answer(tmp_path: Path):
    library = Library(made_store(tmp_path / "store", 4))
    assert in_walk_order(library, Answer([], [], 0, "why")) == Answer([], [], 0, "why")
