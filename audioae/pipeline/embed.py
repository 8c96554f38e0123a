"""Stage embed: the clips of a track become its 128-d embedding.

Conventions
-----------
- A track's embedding is the L2-normalized mean of its clips' embeddings, without whitening.
- A part's name depends on the model and on the tracks' content; it is recomputed only when one of them changes.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.model.embedder import Embedder, pool_track
from audioae.model.weights import model_from_bytes
from audioae.pipeline.accounting import EMBEDDED_COLUMNS, TRACK_COLUMNS, account, commit_evidence
from audioae.pipeline.clips import extraction_fingerprint, iter_clips, mel_codes
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.shards import iter_shards, part_fingerprint, shard_of
from audioae.progress import Advance
from audioae.store.artifacts import read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import EMBEDDINGS

CODE = 1  # raise it when the same clips and model would give different embeddings


def load_embedder(store: Store, model: DatasetRef) -> Embedder:
    """Load the embedder of a published model."""
    return Embedder(model_from_bytes(read_artifact(store, model, "model.safetensors")))


def pending_embeddings(store: Store, config: MelsConfig, tracks: DatasetRef, model: DatasetRef) -> list[int]:
    """Return the shards that this model has not embedded yet."""
    existing = store.part_fingerprints("embeddings")
    return [
        shard
        for shard, table in iter_shards(store, tracks)
        if _name(extraction_fingerprint(shard, table, config), model) not in existing
    ]


def compute_embeddings(
    store: Store,
    config: MelsConfig,
    tracks: DatasetRef,
    model: DatasetRef,
    shards: Sequence[int],
    workers: Workers,
    on_progress: Advance | None = None,
) -> int:
    """Embed `shards` and write their parts; returns the number of embedded tracks."""
    embedder = _embedder(store.root, model)
    n_tracks = 0
    clips = iter_clips(store, tracks, shards, config, workers, keep_mels=False, on_progress=on_progress)
    for _, extraction, mels in clips:
        table = embed_tracks(mels, embedder)
        store.write_part("embeddings", _name(extraction, model), table)
        n_tracks += table.num_rows
    return n_tracks


def commit_embeddings(
    store: Store, config: MelsConfig, tracks: DatasetRef, model: DatasetRef, *, max_reject_rate: float
) -> DatasetRef:
    """Publish the `embeddings` of a catalog version, with the `health` and `rejects` of the same decode.

    Raises
    ------
    StoreError
        If too many tracks were rejected, or if any track is still pending.
    """
    extractions = [extraction_fingerprint(shard, table, config) for shard, table in iter_shards(store, tracks)]
    names = [_name(extraction, model) for extraction in extractions]
    health, rejects = commit_evidence(store, tracks, extractions, config, max_reject_rate=max_reject_rate)
    sums = account(
        store.read(tracks, TRACK_COLUMNS),
        store.read(rejects),
        pa.concat_tables(store.read_part("embeddings", name, EMBEDDED_COLUMNS) for name in names),
    )
    if sums.pending:
        raise StoreError(
            f"{sums.pending} of {sums.n_tracks} tracks of {tracks} are neither embedded nor rejected nor an exact "
            "duplicate; nothing was published, run the pipeline again"
        )
    return store.commit(
        "embeddings",
        names,
        recipe=fingerprint([CODE, names]),
        config={"mels": config.model_dump(mode="json")},
        parents=[tracks, model, health, rejects],
    )


def embed_tracks(mels: pa.Table, embedder: Embedder) -> pa.Table:
    """Compute rows of `embeddings` from rows of `mels`, which must be grouped by track."""
    embeddings, errors = embedder.embed(mel_codes(mels))
    track_ids = mels["track_id"].to_numpy()
    starts = np.flatnonzero(np.r_[True, track_ids[1:] != track_ids[:-1]]) if len(track_ids) else np.empty(0, int)
    ends = np.r_[starts[1:], len(track_ids)]
    pooled = [pool_track(embeddings[a:b]) for a, b in zip(starts, ends, strict=False)]
    return pa.Table.from_arrays(
        [
            pa.array(track_ids[starts], pa.string()),
            pa.FixedSizeListArray.from_arrays(
                pa.array(np.concatenate([e for e, _ in pooled] or [np.empty(0)]).astype(np.float32)),
                type=EMBEDDINGS.field("embedding").type,
            ),
            pa.array((ends - starts if len(starts) else starts).astype(np.int16)),
            mels["padded"].take(pa.array(starts)).combine_chunks() if len(starts) else pa.array([], pa.bool_()),
            pa.array([float(errors[a:b].mean()) for a, b in zip(starts, ends, strict=False)], pa.float32()),
            pa.array([spread for _, spread in pooled], pa.float32()),
        ],
        schema=EMBEDDINGS,
    )


def _name(extraction: str, model: DatasetRef) -> str:
    return part_fingerprint(shard_of(extraction), [CODE, extraction, str(model)])


@lru_cache(maxsize=1)
def _embedder(root: str, model: DatasetRef) -> Embedder:
    return load_embedder(Store(root), model)
