"""Recommendations for one listener or one track, with reasons, from a store and a play log.

Conventions
-----------
- A new track has an embedding and no plays in the log. A play of a copy counts for the track that it copies, and copies
  are never recommended. Copies are byte-identical files, and the near duplicates known to an index built from the same
  embeddings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from audioae.errors import SearchError
from audioae.library.duplicates import Copies, known_copies, rows_with_copies
from audioae.library.generation import Generation
from audioae.library.records import Track, outside_track
from audioae.library.track_vectors import TrackVectors, vectors_from_store
from audioae.library.vector_files import read_table
from audioae.recommend.config import HALF_LIFE_DAYS
from audioae.recommend.item_features import item_features
from audioae.recommend.play_log import PlayLog, read_plays
from audioae.recommend.scorer import ColdStartScorer
from audioae.recommend.tastes import Reason


@dataclass(frozen=True)
class Recommender:
    """A catalog and a play log. Everything is read and learned on first use.

    Parameters
    ----------
    library : Generation
    plays_path : str
        A CSV or Parquet file (see `recommend.play_log`).
    half_life_days : float
        The weight of a play halves in this time.

    Raises
    ------
    SearchError
        On first use, if the log cannot be used.
    """

    library: Generation
    plays_path: str
    half_life_days: float = HALF_LIFE_DAYS

    @cached_property
    def tracks(self) -> TrackVectors:
        return vectors_from_store(self.library.store, self.library.embeddings_ref)

    @cached_property
    def copies(self) -> Copies:
        return known_copies(self.library.store, self.library.embeddings_ref)

    @cached_property
    def plays(self) -> PlayLog:
        rows = rows_with_copies(self.library.tracks, self.tracks.metadata.ids.tolist(), self.copies.keepers)
        return read_plays(read_table(self.plays_path), rows, self.plays_path)

    @cached_property
    def features(self) -> np.ndarray:
        """Item features of all tracks, shape (n, d)."""
        metadata = self.tracks.metadata
        return item_features(self.tracks.vectors, metadata.artists, metadata.labels)

    @cached_property
    def scorer(self) -> ColdStartScorer:
        matrix = self.plays.matrix(self.tracks.metadata.n, self.half_life_days)
        is_copy = np.isin(self.tracks.metadata.ids, [*self.copies.keepers])
        return ColdStartScorer(self.features, matrix, self.tracks.metadata.groups, is_copy)

    def for_listener(self, listener_id: str, k: int) -> list[dict[str, Any]]:
        """List the `k` best new tracks of a listener: rank, score, fit, others, track, taste, because."""
        row = self.plays.row_of(listener_id)
        return next(self.for_rows(np.array([row]), k))

    def for_rows(self, listeners: np.ndarray, k: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the same as `for_listener` for each of some rows of listeners."""
        best, scores = self.scorer.recommend(listeners, k)
        total = scores.total
        for i, listener in enumerate(listeners):
            yield [
                {
                    "rank": place + 1,
                    "score": float(total[i, place]),
                    "fit": float(scores.fit[i, place]),
                    "others": None if scores.others is None else float(scores.others[i, place]),
                    **self._track(int(row)),
                    **self._because(self.scorer.reason(int(listener), self.features[row]), self.tracks.vectors[row]),
                }
                for place, row in enumerate(best[i])
            ]

    def tastes_of(self, listener_id: str, n: int = 3) -> list[dict[str, Any]]:
        """List a listener's tastes: taste, share, number of tracks, labels, and the `n` tracks with most weight."""
        tastes = self.scorer.tastes[self.plays.row_of(listener_id)]
        rows = []
        for number, (share, members) in enumerate(zip(tastes.shares, tastes.members, strict=True), 1):
            labels, counts = np.unique(self.tracks.metadata.labels[members].astype(str), return_counts=True)
            frequent = [str(labels[i]) for i in np.argsort(-counts, kind="stable") if labels[i]][:n]
            titles = [self.tracks.titles[i] for i in members[:n]]
            rows.append(
                {"taste": number, "share": float(share), "tracks": len(members), "labels": frequent, "such as": titles}
            )
        return rows

    def audience(self, query: str, k: int) -> tuple[Track, list[dict[str, Any]]]:
        """Find the `k` listeners whom a track (a track_id, a title, or any audio file) suits best, with reasons.

        Returns
        -------
        track : Track
        listeners : list of dict
            rank, listener_id, score, taste, because.
        """
        track, embedding = self._resolve(query)
        names = [np.array([track.get(name) or ""]) for name in ("artist", "label")]
        features = item_features(embedding[None], *names)[0]
        listeners, scores = self.scorer.audience(features, k)
        rows = []
        for rank, (listener, score) in enumerate(zip(listeners, scores, strict=True), 1):
            because = self._because(self.scorer.reason(int(listener), features), embedding)
            name = str(self.plays.listeners[listener])
            rows.append({"rank": rank, "listener_id": name, "score": float(score), **because})
        return track, rows

    def _resolve(self, query: str) -> tuple[Track, np.ndarray]:
        """Find a track of the catalog first, then an audio file."""
        try:
            track = self.library.find(query)
        except SearchError:
            if not Path(query).is_file():
                raise
            track = outside_track(query)
            embedding = self.library.embed(query).embedding
        else:
            embedding = self.library.embedding_of(track)
        return track, embedding / np.linalg.norm(embedding)

    def _track(self, row: int) -> dict[str, Any]:
        metadata = self.tracks.metadata
        return {
            "track_id": str(metadata.ids[row]),
            "title": self.tracks.titles[row],
            "artist": str(metadata.artists[row]),
            "label": str(metadata.labels[row]),
        }

    def _because(self, reason: Reason, embedding: np.ndarray) -> dict[str, Any]:
        cosines = self.tracks.vectors[reason.rows] @ embedding
        played = zip(reason.rows, cosines, strict=True)
        because = [{**self._track(int(row)), "cosine": float(cosine)} for row, cosine in played]
        return {"taste": reason.taste + 1, "because": because}
