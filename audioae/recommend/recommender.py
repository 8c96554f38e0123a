"""Stage recommend: new tracks for every listener of a play log, by sound and names; what else can be asked of it.

Conventions
-----------
- A new track has an embedding, and nobody in the log has played it. A play of a copy is one of what it is a copy of,
  and a copy is never recommended. Copies are those of the same bytes, and the near ones that an index of the same
  embeddings knows.
- Listeners are worked through in blocks; a block that is there is not computed again.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audioae.config import fingerprint
from audioae.errors import SearchError, StoreError
from audioae.library.duplicates import Copies, known_copies, rows_with_copies
from audioae.library.generation import Generation
from audioae.library.records import Track
from audioae.library.track_vectors import TrackVectors, vectors_from_store
from audioae.library.vector_files import read_table, vector_columns
from audioae.recommend.cf_regression import HeldOut, SoundRegression
from audioae.recommend.config import HALF_LIFE_DAYS, RecommendConfig
from audioae.recommend.item_features import item_features
from audioae.recommend.play_log import Plays, read_plays
from audioae.recommend.scorer import ColdStartScorer, Reason
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import COLDSTART

CODE = 3  # raise it when the same plays and embeddings would give other recommendations
BLOCK = 2000  # listeners per part


@dataclass(frozen=True)
class Recommender:
    """A catalog and a play log, opened for questions.

    Parameters
    ----------
    library : Generation
    plays_path : str
    half_life_days : float

    Raises
    ------
    SearchError
        If the log cannot be used (see `recommend.play_log`).
    """

    library: Generation
    plays_path: str
    half_life_days: float = HALF_LIFE_DAYS

    @cached_property
    def subject(self) -> TrackVectors:
        return vectors_from_store(self.library.store, self.library.embeddings_ref)

    @cached_property
    def copies(self) -> Copies:
        return known_copies(self.library.store, self.library.embeddings_ref)

    @cached_property
    def plays(self) -> Plays:
        rows = rows_with_copies(self.library.tracks, self.subject.metadata.ids.tolist(), self.copies.keepers)
        return read_plays(read_table(self.plays_path), rows, self.plays_path)

    @cached_property
    def cold_start(self) -> ColdStartScorer:
        matrix = self.plays.matrix(self.subject.metadata.n, self.half_life_days)
        is_copy = np.isin(self.subject.metadata.ids, [*self.copies.keepers])
        return ColdStartScorer(self.described, matrix, self.subject.metadata.groups, is_copy)

    @cached_property
    def described(self) -> np.ndarray:
        metadata = self.subject.metadata
        return item_features(self.subject.vectors, metadata.artists, metadata.labels)

    def for_listener(self, listener_id: str, k: int) -> list[dict[str, Any]]:
        """The `k` new tracks that suit a listener best, as rows: rank, score, fit, others, track, taste, because."""
        row = self.plays.row_of(listener_id)
        return next(self._recommend(np.array([row]), k))

    def tastes_of(self, listener_id: str, n: int = 3) -> list[dict[str, Any]]:
        """A listener's tastes as rows: number, share, tracks, their labels, and what counts most in each."""
        tastes = self.cold_start.tastes[self.plays.row_of(listener_id)]
        rows = []
        for number, (share, members) in enumerate(zip(tastes.shares, tastes.members, strict=True), 1):
            labels, counts = np.unique(self.subject.metadata.labels[members].astype(str), return_counts=True)
            frequent = [str(labels[i]) for i in np.argsort(-counts, kind="stable") if labels[i]][:n]
            titles = [self.subject.titles[i] for i in members[:n]]
            rows.append(
                {"taste": number, "share": float(share), "tracks": len(members), "labels": frequent, "such as": titles}
            )
        return rows

    def audience(self, query: str, k: int) -> tuple[Track, list[dict[str, Any]]]:
        """The track that is meant (or any audio file), and the `k` listeners whom it suits best, with reasons."""
        track, embedding = self._resolve(query)
        names = [np.array([track.get(name) or ""]) for name in ("artist", "label")]
        described = item_features(embedding[None], *names)[0]
        listeners, scores = self.cold_start.audience(described, k)
        rows = []
        for rank, (listener, score) in enumerate(zip(listeners, scores, strict=True), 1):
            because = self._because(self.cold_start.reason(int(listener), described), embedding)
            name = str(self.plays.listeners[listener])
            rows.append({"rank": rank, "listener_id": name, "score": float(score), **because})
        return track, rows

    def tables(self, start: int, k: int) -> pa.Table:
        """Recommendations for the listeners from `start` on, at most `BLOCK` of them, as the dataset has them."""
        listeners = np.arange(start, min(start + BLOCK, len(self.plays.listeners)))
        rows = [
            {
                **{name: row[name] for name in COLDSTART.names if name in row},
                "listener_id": str(self.plays.listeners[listener]),
                "because": [because["track_id"] for because in row["because"]],
            }
            for listener, found in zip(listeners, self._recommend(listeners, k), strict=True)
            for row in found
        ]
        return pa.Table.from_pylist(rows, schema=COLDSTART)

    def _resolve(self, query: str) -> tuple[Track, np.ndarray]:
        """A track of the catalog first; then an audio file."""
        try:
            track = self.library.find(query)
        except SearchError:
            if not Path(query).is_file():
                raise
            track = Track(uri=str(Path(query).absolute()), title=Path(query).stem)
            embedding = self.library.embed_file(query)
        else:
            embedding = self.library.embedding_of(track)
        return track, embedding / np.linalg.norm(embedding)

    def _recommend(self, listeners: np.ndarray, k: int) -> Iterator[list[dict[str, Any]]]:
        """The rows of each listener."""
        best, scores = self.cold_start.recommend(listeners, k)
        total = scores.total
        for i, listener in enumerate(listeners):
            yield [
                {
                    "rank": place + 1,
                    "score": float(total[i, place]),
                    "fit": float(scores.fit[i, place]),
                    "others": None if scores.others is None else float(scores.others[i, place]),
                    **self._shown(int(row)),
                    **self._because(
                        self.cold_start.reason(int(listener), self.described[row]), self.subject.vectors[row]
                    ),
                }
                for place, row in enumerate(best[i])
            ]

    def _shown(self, row: int) -> dict[str, Any]:
        metadata = self.subject.metadata
        return {
            "track_id": str(metadata.ids[row]),
            "title": self.subject.titles[row],
            "artist": str(metadata.artists[row]),
            "label": str(metadata.labels[row]),
        }

    def _because(self, reason: Reason, embedding: np.ndarray) -> dict[str, Any]:
        cosines = self.subject.vectors[reason.rows] @ embedding
        played = zip(reason.rows, cosines, strict=True)
        because = [{**self._shown(int(row)), "cosine": float(cosine)} for row, cosine in played]
        return {"taste": reason.taste + 1, "because": because}


def recommend_all(store: Store, config: RecommendConfig, embeddings: DatasetRef) -> DatasetRef:
    """Publish `coldstart`: the best new tracks of every listener of the log.

    Raises
    ------
    SearchError
        If the log cannot be used, or every track was played; nothing is published then.
    """
    settings = config.model_dump(mode="json")
    copies = known_copies(store, embeddings)
    known = [str(copies.index), sorted(copies.keepers.items())]
    recipe = fingerprint([CODE, settings, _content_hash(config.plays), str(embeddings), known])
    if made := store.find("coldstart", recipe):
        store.set_latest(made)
        return made
    recommender = Recommender(Generation(store, embeddings=embeddings), config.plays, config.half_life_days)
    names = []
    for start in range(0, len(recommender.plays.listeners), BLOCK):
        names.append(f"{recipe}-{start // BLOCK:05d}")
        if not store.has_part("coldstart", names[-1]):
            store.write_part("coldstart", names[-1], recommender.tables(start, config.k))
    tracks = store.manifest(embeddings).parent("tracks")
    parents = [embeddings, tracks, *([copies.index] if copies.index else [])]
    return store.commit("coldstart", names, recipe=recipe, config=settings, parents=parents)


def estimate_vectors(library: Generation, path: str, out: str) -> tuple[int, int, HeldOut]:
    """Estimate the collaborative vectors that a file lacks, from sound, and write them to `out` (Parquet).

    Parameters
    ----------
    path : str
        Parquet or .npz with track_id (or id) and vector, of tracks that were played.
    out : str
        Gets track_id and vector, of every other track with an embedding.

    Returns
    -------
    n_known, n_estimated : int
    held_out : HeldOut
        How well the known ones are estimated when they are not known.

    Raises
    ------
    SearchError
        If too few of the file's tracks have an embedding, or `out` cannot be written.
    EvaluationError
        If the file cannot be read.
    """
    subject = vectors_from_store(library.store, library.embeddings_ref)
    columns = vector_columns(path)
    row_of = {str(track_id): row for row, track_id in enumerate(subject.metadata.ids)}
    rows = np.array([row_of.get(str(track_id), -1) for track_id in columns["id"]], np.int64)
    known = rows[rows >= 0]
    if not len(known):
        raise SearchError(f"{path}: none of its {len(rows)} tracks has an embedding, such as {columns['id'][0]}")
    if len(set(known.tolist())) < len(known):
        raise SearchError(f"{path}: {len(known) - len(set(known.tolist()))} tracks stand more than once; keep one each")
    regression = SoundRegression(subject.vectors[known], columns["vector"][rows >= 0], subject.metadata.groups[known])
    rest = np.setdiff1d(np.arange(subject.metadata.n), known)
    vectors = regression.estimate(subject.vectors[rest])
    table = pa.table({"track_id": subject.metadata.ids[rest].tolist(), "vector": list(vectors)})
    try:
        pq.write_table(table, out)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error}); name a file in a folder that exists") from error
    return len(known), len(rest), regression.held_out


def _content_hash(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SearchError(
            f"{path}: the play log cannot be read ({error.strerror}); wanted a CSV or Parquet file"
        ) from error
