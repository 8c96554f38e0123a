"""One published generation of a store, opened for questions: its tracks, its index, and every row about a track.

Conventions
-----------
- A generation is immutable. It leads from the published index to the embeddings, the model, the rejects and the tracks
  that the index was made from, never to each dataset's own LATEST: nothing is mixed of two generations.
- The aliases are the ones that were current when it was opened.
- Everything is read when it is first needed and then kept. `warm` reads all that a query needs.
- Decoders and torch are imported only by the methods that take an audio file.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.catalog.paths import displayed
from audioae.config import parse_config
from audioae.errors import AudioError, SearchError
from audioae.library.aliases import Aliases
from audioae.library.alignment import RowAlignment, open_alignment
from audioae.library.catalog_columns import CatalogColumns, open_columns
from audioae.library.lookup import Lookup
from audioae.library.records import Track
from audioae.pipeline.config import MelsConfig, OutsideLimits, Workers
from audioae.pipeline.index import load_index
from audioae.pipeline.shards import shard_of
from audioae.search.index import SearchIndex
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

if TYPE_CHECKING:
    from audioae.audio.extract import Extracted
    from audioae.model.embedder import Embedder
    from audioae.pipeline.embed_outside import Embedded


class Generation:
    """An index and everything it was made from; or embeddings, indexed or not.

    Parameters
    ----------
    store : Store
    index : DatasetRef, optional
        The index to open; default: the current one.
    embeddings : DatasetRef, optional
        Open these embeddings instead, whether or not an index was built from them.

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
        self.aliases_ref = store.latest("aliases")

    def __len__(self) -> int:
        """Number of indexed recordings."""
        return len(self.index)

    @cached_property
    def index_ref(self) -> DatasetRef:
        return self._index_ref or self.store.require("index")

    @cached_property
    def index(self) -> SearchIndex:
        index = load_index(self.store, self.index_ref)
        index.check_model(str(self.model_ref))
        return index

    @cached_property
    def columns(self) -> CatalogColumns:
        """The catalog as queries read it."""
        return open_columns(self.store, self.tracks_ref)

    @property
    def tracks(self) -> pa.Table:
        """The catalog as a table."""
        return self.columns.tracks

    @cached_property
    def lookup(self) -> Lookup:
        return Lookup(self.columns, str(self.tracks_ref))

    @cached_property
    def alignment(self) -> RowAlignment:
        return open_alignment(self.store, self.columns, self.tracks_ref, self.index, self.index_ref)

    @cached_property
    def mels_config(self) -> MelsConfig:
        return parse_config(MelsConfig, self._embeddings_manifest.config["mels"], where=str(self.embeddings_ref))

    @cached_property
    def aliases(self) -> Aliases:
        """The IDs that other systems had for the tracks when this generation was opened."""
        return Aliases(self.store, self.aliases_ref, self.lookup, self.tracks_ref)

    @cached_property
    def embedder(self) -> "Embedder":
        from audioae.pipeline.embed import load_embedder

        return load_embedder(self.store, self.model_ref)

    def warm(self) -> None:
        """Read everything that a query by track_id needs, and search once: the next query is as fast as any later."""
        _ = self.lookup, self.alignment.group, self.alignment.artist
        self.index.search(self.index.embeddings(np.array([0])), 1)
        self.aliases.warm()

    def is_current(self) -> bool:
        """Whether the store has published no other index and no other aliases since this one was opened."""
        return self.store.latest("index") == self.index_ref and self.store.latest("aliases") == self.aliases_ref

    def find(self, query: str) -> Track:
        """The one track that is meant: by track_id, by uri, or by title (the whole title, then a part of it).

        Raises
        ------
        SearchError
            If no track matches, or several do; the message lists the closest.
        """
        return self.lookup.find(query)

    def embedding_of(self, track: Track) -> np.ndarray:
        """The stored embedding, shape (128,), of a track of the catalog, or of the track that it duplicates.

        Raises
        ------
        SearchError
            If the track has none, with the reason.
        """
        row = self.embedding_row(track)
        if row is None:
            reject = self.reject_of(track)
            why = f"{reject['reason']}: {reject['detail']}" if reject else "it has not been processed yet"
            why += "; a later run tries it again" if reject and reject["retry_at"] else ""
            raise SearchError(f"{track.track_id} ({track.title}) has no embedding; {why}")
        return np.asarray(row["embedding"], np.float32)

    def embedding_row(self, track: Track) -> dict[str, Any] | None:
        """The track's row in `embeddings`, or that of the track it duplicates; None if there is none."""
        if track.duplicate_of:
            track = self.find(track.duplicate_of)
        return self._row_in_part(self.embeddings_ref, track)

    def reject_of(self, track: Track) -> dict[str, Any] | None:
        """The track's row in `rejects`, or None."""
        return self._row_in_part(self.rejects_ref, track)

    def health_of(self, track: Track) -> dict[str, Any] | None:
        """The track's row in `health`, or None."""
        return self._row_in_part(self._embeddings_manifest.parent("health"), track)

    def extract_file(self, path: str | Path) -> "Extracted":
        """Decode any audio file with the settings of the catalog, in a process that is killed if it takes too long.

        Raises
        ------
        AudioError
            If the file cannot be used; the message names it.
        """
        from audioae.audio.extract import extract
        from audioae.audio.workers import call_killable

        settings = self.mels_config.clips, self.mels_config.decode
        try:
            return call_killable(extract, str(path), *settings, timeout_s=Workers().timeout_s)
        except AudioError as error:
            raise AudioError(error.reason, f"{displayed(str(path))}: {error.detail}") from None

    def embed(self, path: str | Path, *, name: str | None = None, limits: OutsideLimits | None = None) -> "Embedded":
        """Decode and embed any audio file with the code and settings of the catalog, in a process that can be killed.

        Parameters
        ----------
        path : str or Path
        name : str, optional
            What an error calls the file; default: its path.
        limits : OutsideLimits, optional
            What the file may cost; default: 60 s.

        Raises
        ------
        AudioError
            If the file cannot be used, or is beyond a limit.
        ModuleNotFoundError
            If the extra `pipeline` is not installed.
        """
        from audioae.pipeline.embed_outside import embed_outside

        try:
            return embed_outside(path, self.store, self.model_ref, self.mels_config, limits or OutsideLimits())
        except AudioError as error:
            raise AudioError(error.reason, f"{displayed(name or str(path))}: {error.detail}") from None

    def warm_embedding(self, n: int) -> None:
        """Start the processes that embed `n` files at a time: the first `embed` is then as fast as any later one."""
        from audioae.pipeline.embed_outside import start_workers

        start_workers(self.store, self.model_ref, n)

    def _row_in_part(self, ref: DatasetRef, track: Track) -> dict[str, Any] | None:
        """The track's row in its shard's part of `ref`: one part is read, not the dataset."""
        for part in self.store.manifest(ref).parts:
            if shard_of(part.name) == track.shard:
                table = self.store.read_part(ref.dataset, part.name.removesuffix(".parquet"))
                rows = table.filter(pc.equal(table["track_id"], track.track_id)).to_pylist()
                return {**rows[0], "part": part.name} if rows else None
        return None
