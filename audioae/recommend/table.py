"""Stage recommend: publish the best new tracks of every listener of a play log as a table.

Convention: each block of `BLOCK` listeners is one part, and a part that exists is not computed again.
"""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa

from audioae.config import fingerprint
from audioae.errors import SearchError
from audioae.library.duplicates import known_copies
from audioae.library.generation import Generation
from audioae.recommend.config import RecommendConfig
from audioae.recommend.recommender import Recommender
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import RECOMMENDATIONS

CODE = 3  # increment when the same plays and embeddings would give other recommendations
BLOCK = 2000  # listeners per part


def publish_recommendations(store: Store, config: RecommendConfig, embeddings: DatasetRef) -> DatasetRef:
    """Publish the best new tracks of every listener as the dataset `recommendations`.

    Raises
    ------
    SearchError
        If the log cannot be used, or no track is new; then nothing is published.
    """
    settings = config.model_dump(mode="json")
    copies = known_copies(store, embeddings)
    known = [str(copies.index), sorted(copies.keepers.items())]
    recipe = fingerprint([CODE, settings, _content_hash(config.plays), str(embeddings), known])
    if published := store.find("recommendations", recipe):
        return store.make_current(published)
    recommender = Recommender(Generation(store, embeddings=embeddings), config.plays, config.half_life_days)
    names = []
    for start in range(0, len(recommender.plays.listeners), BLOCK):
        names.append(f"{recipe}-{start // BLOCK:05d}")
        if not store.has_part("recommendations", names[-1]):
            store.write_part("recommendations", names[-1], _part(recommender, start, config.k))
    tracks = store.manifest(embeddings).parent("tracks")
    parents = [embeddings, tracks, *([copies.index] if copies.index else [])]
    return store.commit("recommendations", names, recipe=recipe, config=settings, parents=parents)


def _part(recommender: Recommender, start: int, k: int) -> pa.Table:
    """Recommendations for the `BLOCK` listeners from `start` on."""
    listeners = np.arange(start, min(start + BLOCK, len(recommender.plays.listeners)))
    rows = [
        {
            **{name: row[name] for name in RECOMMENDATIONS.names if name in row},
            "listener_id": str(recommender.plays.listeners[listener]),
            "because": [track["track_id"] for track in row["because"]],
        }
        for listener, recommended in zip(listeners, recommender.for_rows(listeners, k), strict=True)
        for row in recommended
    ]
    return pa.Table.from_pylist(rows, schema=RECOMMENDATIONS)


def _content_hash(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SearchError(
            f"{path}: the play log cannot be read ({error.strerror}); wanted a CSV or Parquet file"
        ) from error
