"""A store, opened for questions: which track is meant, what is like it, where does everything about it lie.

Conventions
-----------
- A library is one consistent view: it goes from the published index to the embeddings, the model, the rejects and the
  tracks that the index was made from, never to each dataset's own LATEST.
- A score is the cosine of two embeddings: 1 alike, higher = closer.
"""

# pyright: reportAttributeAccessIssue=false

import difflib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.audio.extract import extract
from audioae.config import parse_config
from audioae.errors import SearchError, StoreError
from audioae.model.embedder import Embedder, pool_track
from audioae.search.index import SearchIndex
from audioae.stages.embed import load_embedder
from audioae.stages.extraction import MelsConfig
from audioae.stages.index import load_index
from audioae.stages.shards import shard_of
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

SHOWN = ("track_id", "title", "artist", "album", "label", "uri")


class Library:
    """One generation of a store: an index and everything it was made from; or embeddings, whether indexed or not.

    Raises
    ------
    StoreError
        If nothing is published yet.
    SearchError
        If the index was not made with the model of its embeddings.
    """

    def __init__(self, store: Store, index: DatasetRef | None = None, *, embeddings: DatasetRef | None = None):
        self.store = store
        self._index_ref = index
        self.embeddings_ref = embeddings or store.manifest(self.index_ref).parent("embeddings")
        self._embeddings_manifest = store.manifest(self.embeddings_ref)
        self.model_ref = self._embeddings_manifest.parent("model")
        self.tracks_ref = self._embeddings_manifest.parent("tracks")
        self.rejects_ref = self._embeddings_manifest.parent("rejects")

    @cached_property
    def index_ref(self) -> DatasetRef:
        return self._index_ref or self.store.require("index")

    @cached_property
    def index(self) -> SearchIndex:
        index = load_index(self.store, self.index_ref)
        index.check_model(str(self.model_ref))
        return index

    @cached_property
    def embedder(self) -> Embedder:
        return load_embedder(self.store, self.model_ref)

    @cached_property
    def tracks(self) -> pa.Table:
        return self.store.read(self.tracks_ref)

    @cached_property
    def mels_config(self) -> MelsConfig:
        return parse_config(MelsConfig, self._embeddings_manifest.config["mels"], where=str(self.embeddings_ref))

    def find(self, query: str) -> dict[str, Any]:
        """The row of the one track that is meant: by track_id, by uri, or by title (exactly, then in part).

        Raises
        ------
        SearchError
            If no track fits, or several do; the message names the closest.
        """
        titles = pc.utf8_lower(pc.coalesce(self.tracks["title"], pa.scalar("")))
        masks = (
            pc.equal(self.tracks["track_id"], query),
            pc.equal(self.tracks["uri"], query),
            pc.equal(titles, query.lower()),
            pc.match_substring(titles, query.lower()),
        )
        for mask in masks:
            rows = self.tracks.filter(mask).to_pylist() if query else []
            if len(rows) == 1:
                return rows[0]
            if rows:
                listed = "\n".join(f"  {r['track_id']}  {r['title']} - {r['artist']} ({r['album']})" for r in rows[:10])
                raise SearchError(f"{query!r} fits {len(rows)} tracks; name one by its track_id:\n{listed}")
        known = self.tracks["title"].drop_null().to_pylist()
        close = difflib.get_close_matches(query, known, n=3)
        hint = (
            f"did you mean {', '.join(map(repr, close))}?" if close else "wanted a track_id, a title or an audio file"
        )
        raise SearchError(f"no track {query!r} among the {self.tracks.num_rows} of {self.tracks_ref}; {hint}")

    def embedding_of(self, track: dict[str, Any]) -> np.ndarray:
        """The stored embedding, shape (128,), of a track of the catalog, or of the track that it duplicates.

        Raises
        ------
        SearchError
            If the track has none, saying why.
        """
        row = self.embedding_row(track)
        if row is None:
            reason = self.reject_of(track)
            why = f"{reason['reason']}: {reason['detail']}" if reason else "it was not processed yet"
            raise SearchError(f"{track['track_id']} ({track['title']}) has no embedding; {why}")
        return np.asarray(row["embedding"], np.float32)

    def embedding_row(self, track: dict[str, Any]) -> dict[str, Any] | None:
        """The track's row in `embeddings`; of its keeper, if it is a duplicate; None if it has none."""
        if track["duplicate_of"]:
            track = self.find(track["duplicate_of"])
        return self._row_in_part(self.embeddings_ref, track)

    def reject_of(self, track: dict[str, Any]) -> dict[str, Any] | None:
        """The track's row in `rejects`, or None."""
        return self._row_in_part(self.rejects_ref, track)

    def health_of(self, track: dict[str, Any]) -> dict[str, Any] | None:
        """The track's row in `health`, or None."""
        return self._row_in_part(self._embeddings_manifest.parent("health"), track)

    def embed_file(self, path: str | Path) -> np.ndarray:
        """Decode and embed any audio file by the code and settings of the catalog; shape (128,).

        Raises
        ------
        AudioError
            If the file cannot be used, with its reason.
        """
        extracted = extract(str(path), self.mels_config.clips, self.mels_config.decode)
        return pool_track(self.embedder.embed(extracted.codes)[0])[0]

    def similar(self, query: str, k: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The query's own row, and its `k` nearest tracks (itself left out), closest first.

        Parameters
        ----------
        query : str
            A track_id, a title, or the path of any audio file.
        k : int
            How many neighbors; fewer only if the index holds fewer.
        """
        if k < 1:
            raise SearchError(f"k={k}: wanted at least 1 neighbor")
        track, embedding = self._resolve(query)
        scores, rows = self.index.search(embedding[None], min(k + 1, len(self.index.ids)))
        own = {track.get("track_id"), track.get("duplicate_of")}
        hits = [
            (self.index.ids[int(row)].as_py(), float(score))
            for score, row in zip(scores[0], rows[0], strict=True)
            if row >= 0
        ]
        hits = [(track_id, score) for track_id, score in hits if track_id not in own][:k]
        found = self._rows([track_id for track_id, _ in hits])
        return track, [{"rank": i + 1, "score": s, **found[t]} for i, (t, s) in enumerate(hits)]

    def _resolve(self, query: str) -> tuple[dict[str, Any], np.ndarray]:
        """A track of the catalog first; then a file."""
        try:
            track = self.find(query)
        except SearchError:
            if not Path(query).is_file():
                raise
            return {"uri": str(Path(query).absolute()), "title": Path(query).stem}, self.embed_file(query)
        return track, self.embedding_of(track)

    def _rows(self, track_ids: list[str]) -> dict[str, dict[str, Any]]:
        mask = pc.is_in(self.tracks["track_id"], value_set=pa.array(track_ids, pa.string()))
        rows = {row["track_id"]: row for row in self.tracks.select(SHOWN).filter(mask).to_pylist()}
        if missing := set(track_ids) - rows.keys():
            raise StoreError(f"{self.index_ref} holds {len(missing)} tracks that {self.tracks_ref} has not got")
        return rows

    def _row_in_part(self, ref: DatasetRef, track: dict[str, Any]) -> dict[str, Any] | None:
        """The track's row in its shard's part of `ref`: one part is read, not the dataset."""
        for part in self.store.manifest(ref).parts:
            if shard_of(part.name) == track["shard"]:
                table = self.store.read_part(ref.dataset, part.name.removesuffix(".parquet"))
                rows = table.filter(pc.equal(table["track_id"], track["track_id"])).to_pylist()
                return {**rows[0], "part": part.name} if rows else None
        return None
