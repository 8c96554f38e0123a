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

from audioae.audio.extract import Extracted, extract
from audioae.config import parse_config
from audioae.errors import SearchError
from audioae.library.alignment import RowAlignment
from audioae.model.embedder import Embedder, pool_track
from audioae.pipeline.config import MelsConfig
from audioae.pipeline.embed import load_embedder
from audioae.pipeline.index import load_index
from audioae.pipeline.shards import shard_of
from audioae.search.index import SearchIndex
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


class Generation:
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
        return self.store.read(self.tracks_ref).combine_chunks()

    @cached_property
    def alignment(self) -> RowAlignment:
        return RowAlignment(self)

    @cached_property
    def _titles(self) -> pa.ChunkedArray:
        return pc.utf8_lower(pc.coalesce(self.tracks["title"], pa.scalar("")))

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
        masks = (
            lambda: pc.equal(self.tracks["track_id"], query),
            lambda: pc.equal(self.tracks["uri"], query),
            lambda: pc.equal(self._titles, query.lower()),
            lambda: pc.match_substring(self._titles, query.lower()),
        )
        for mask in masks:
            rows = self.tracks.filter(mask()).to_pylist() if query else []
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

    def extract_file(self, path: str | Path) -> Extracted:
        """Decode any audio file by the settings of the catalog. Raises `AudioError` if it cannot be used."""
        return extract(str(path), self.mels_config.clips, self.mels_config.decode)

    def embed_codes(self, codes: np.ndarray) -> np.ndarray:
        """Embed a track's mels, shape (n_clips, 128, 130), uint8, by the model of the catalog; shape (128,)."""
        return pool_track(self.embedder.embed(codes)[0])[0]

    def embed_file(self, path: str | Path) -> np.ndarray:
        """Decode and embed any audio file by the code and settings of the catalog; shape (128,).

        Raises
        ------
        AudioError
            If the file cannot be used, with its reason.
        """
        return self.embed_codes(self.extract_file(path).codes)

    def _row_in_part(self, ref: DatasetRef, track: dict[str, Any]) -> dict[str, Any] | None:
        """The track's row in its shard's part of `ref`: one part is read, not the dataset."""
        for part in self.store.manifest(ref).parts:
            if shard_of(part.name) == track["shard"]:
                table = self.store.read_part(ref.dataset, part.name.removesuffix(".parquet"))
                rows = table.filter(pc.equal(table["track_id"], track["track_id"])).to_pylist()
                return {**rows[0], "part": part.name} if rows else None
        return None
