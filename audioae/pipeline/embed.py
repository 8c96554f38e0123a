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
from audioae.errors import IncompleteError, StoreError
from audioae.model.embedder import Embedder, pool_track
from audioae.model.weights import model_from_bytes
from audioae.pipeline.accounting import EMBEDDED_COLUMNS, TRACK_COLUMNS, account, commit_evidence
from audioae.pipeline.clips import in_order, iter_results, mel_codes
from audioae.pipeline.config import MelsConfig, Retry, Workers
from audioae.pipeline.extraction import existing_extractions, extraction_fingerprint
from audioae.pipeline.failures import has_due_failures, pending_failures
from audioae.pipeline.shard_plan import MELS_PART
from audioae.pipeline.shards import iter_shards, part_fingerprint, shard_of
from audioae.progress import Advance
from audioae.store.artifacts import read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import EMBEDDINGS

CODE = 1  # raise it when the same clips and model would give different embeddings


def load_embedder(store: Store, model: DatasetRef, device: str = "auto") -> Embedder:
    """Load the embedder of a published model; `device` as for `Embedder`."""
    return Embedder(model_from_bytes(read_artifact(store, model, "model.safetensors")), device)


def pending_embeddings(
    store: Store, config: MelsConfig, tracks: DatasetRef, model: DatasetRef, retry: Retry | None = None
) -> list[int]:
    """Return the shards that this model has not embedded yet, or that have tracks to be tried again."""
    existing = store.part_fingerprints("embeddings")
    best = {shard: next(iter(names), None) for shard, names in _extractions(store, config, tracks).items()}
    return [
        shard
        for shard, name in best.items()
        if name is None
        or _name(name, model) not in existing
        or has_due_failures(store, name, retry or Retry(), embedding=True)
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
    n_tracks = 0
    results = [("embeddings", lambda extraction: _name(extraction, model)), MELS_PART]
    for clips in iter_results(
        store, tracks, shards, config, workers, results=results, keep_mels=False, on_progress=on_progress
    ):
        parts = [copy.read(store) for copy in clips.copies if copy.dataset == "embeddings"]
        if clips.mels.num_rows:
            parts.append(embed_tracks(clips.mels, _embedder(store.root, model)))
        table = in_order([*parts, EMBEDDINGS.empty_table()], clips.track_ids)
        store.write_part("embeddings", _name(clips.name, model), table)
        n_tracks += table.num_rows
    return n_tracks


def commit_embeddings(
    store: Store, config: MelsConfig, tracks: DatasetRef, model: DatasetRef, *, max_reject_rate: float
) -> DatasetRef:
    """Publish the `embeddings` of a catalog version, with the `health` and `rejects` of the same decode.

    Raises
    ------
    IncompleteError
        If a shard is not embedded.
    StoreError
        If too many tracks were rejected, or if any track is still pending.
    """
    existing = store.part_fingerprints("embeddings")
    shards = _extractions(store, config, tracks).values()
    embedded = (next((name for name in names if _name(name, model) in existing), None) for names in shards)
    extractions = [name for name in embedded if name]
    if missing := len(shards) - len(extractions):
        raise IncompleteError(
            f"{missing} of {len(shards)} shards of {tracks} are not embedded; nothing was published, run the pipeline "
            "again"
        )
    names = [_name(extraction, model) for extraction in extractions]
    health, rejects = commit_evidence(store, tracks, extractions, config, max_reject_rate=max_reject_rate)
    rejected = store.read(rejects)
    sums = account(
        store.read(tracks, TRACK_COLUMNS),
        rejected,
        pa.concat_tables(store.read_part("embeddings", name, EMBEDDED_COLUMNS) for name in names),
    )
    if lost := sums.pending - pending_failures(rejected).num_rows:
        raise StoreError(
            f"{lost} of {sums.n_tracks} tracks of {tracks} are neither embedded nor rejected nor an exact "
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


def _extractions(store: Store, config: MelsConfig, tracks: DatasetRef) -> dict[int, list[str]]:
    """The existing extractions of each shard, the best first."""
    existing = existing_extractions(store, "health", "rejects")
    return {
        shard: existing.of(extraction_fingerprint(shard, table, config)) for shard, table in iter_shards(store, tracks)
    }


def _name(extraction: str, model: DatasetRef) -> str:
    return part_fingerprint(shard_of(extraction), [CODE, extraction, str(model)])


@lru_cache(maxsize=1)
def _embedder(root: str, model: DatasetRef) -> Embedder:
    return load_embedder(Store(root), model)
