"""Effect of hub correction and diversity on neighbor lists, on the store of AUDIOAE_STORE (default: data).

Every track is a query once. Exposure: skewness of the 10-occurrence (0: equal) and the share of tracks in no list.
Cost: the share of neighbors with the query's label. Variety: the mean cosine within a list.
"""

import os
from typing import NamedTuple

import numpy as np
import scipy.stats

from audioae.api import Library
from audioae.pipeline.index import read_embeddings
from audioae.pipeline.index_neighbors import K, nearest_others
from audioae.similarity.rerank import choose, correct_hubs
from audioae.store.dataset import Store
from tests.bench.harness import Row

POOL = 100
DIVERSITY = 0.3


class Exposure(NamedTuple):
    """Measures of the lists of ten neighbors of all tracks."""

    skewness: float
    never: float
    same_label: float
    within: float


def measure() -> list[Row]:
    library = Library(Store(os.environ.get("AUDIOAE_STORE", "data")))
    table = read_embeddings(library.store, library.embeddings_ref)
    names = dict(zip(library.tracks["track_id"].to_pylist(), library.tracks["label"].to_pylist(), strict=True))
    labels = np.array([names[track_id] or "" for track_id in table.track_ids.to_pylist()])
    own, index_rows = np.arange(len(table)), table.rows_of(library.index.ids)
    scores, rows = nearest_others(library.index, table.embeddings, own, index_rows, min(POOL, len(table) - 1))
    corrected = np.argsort(-correct_hubs(scores, scores[:, :K].mean(axis=1)[rows]), axis=1)[:, :K]
    alone = np.arange(rows.shape[1])
    options = {"groups": alone, "artists": alone, "diversity": DIVERSITY}
    diverse = [
        row[choose(s, K, embeddings=table.embeddings[row], **options)] for s, row in zip(scores, rows, strict=True)
    ]
    before, hub, mmr = (
        exposure(table.embeddings, lists, labels)
        for lists in (rows[:, :K], np.take_along_axis(rows, corrected, 1), np.array(diverse))
    )
    limit = max(abs(before.skewness), 0.5)
    return [
        _row("hub correction: skewness of exposure", before.skewness, hub.skewness, limit, higher_is_better=False),
        _row("hub correction: tracks in no list", before.never, hub.never, before.never, higher_is_better=False),
        _row("hub correction: same label", before.same_label, hub.same_label, before.same_label - 0.02),
        _row("diversity .3: cosine within a list", before.within, mmr.within, before.within, higher_is_better=False),
        _row("diversity .3: same label", before.same_label, mmr.same_label, before.same_label - 0.1),
    ]


def exposure(embeddings: np.ndarray, lists: np.ndarray, labels: np.ndarray) -> Exposure:
    counts = np.bincount(lists.ravel(), minlength=len(embeddings))
    cosines = np.einsum("nkd,njd->nkj", embeddings[lists], embeddings[lists])[:, *np.triu_indices(lists.shape[1], 1)]
    same = labels[lists] == labels[:, None]
    return Exposure(
        float(scipy.stats.skew(counts)), float((counts == 0).mean()), float(same.mean()), float(cosines.mean())
    )


def _row(name: str, before: float, value: float, bar: float, *, higher_is_better: bool = True) -> Row:
    return Row(name, value, bar, "", f"{before:.3f} without", higher_is_better)
