"""Stage embed: the clips of a track become its 128-d embedding.

Conventions
-----------
- A track's embedding is pooled from those of its clips (`model.pooling`) and has length 1.
- Decoding and the encoder work at the same time (see `encoding.py`), and a shard goes through memory in blocks. Shards
  of stored mels come first, several at a time (see `stored_shards.py`).
- A part's name depends on the model and on the tracks' content; it is recomputed only when one of them changes.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache, partial
from threading import Lock

import numpy as np
import pyarrow as pa

from audioae.config import fingerprint
from audioae.errors import IncompleteError
from audioae.model.embedder import Embedder
from audioae.model.weights import model_from_bytes
from audioae.pipeline.accounting import check_accounts, commit_evidence
from audioae.pipeline.clips import ShardClips, iter_results, mel_codes
from audioae.pipeline.config import MelsConfig, Retry, Workers
from audioae.pipeline.encoding import Encoder
from audioae.pipeline.evidence import in_order
from audioae.pipeline.extra import read_extra
from audioae.pipeline.network import network_of
from audioae.pipeline.network_vectors import check_vectors, commit_vectors
from audioae.pipeline.shard_plan import MELS_PART
from audioae.pipeline.shard_states import find_extractions, to_try_again
from audioae.pipeline.shards import part_fingerprint, shard_of
from audioae.pipeline.stored_shards import READERS, map_stored
from audioae.progress import Advance
from audioae.store.artifacts import read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import EMBEDDINGS

_log = logging.getLogger(__name__)

_LOADING = Lock()

EVIDENCE = ("health", "rejects")  # what every extraction has; mels only if they are stored
CODE = 1  # raise it when the same clips and model would give different embeddings


def load_embedder(store: Store, model: DatasetRef, device: str = "auto", *, threads: int | None = None) -> Embedder:
    """Load the embedder of a published model; `device` and `threads` as for `Embedder`."""
    weights = model_from_bytes(read_artifact(store, model, "model.safetensors"))
    return Embedder(weights, device, threads=threads, extra=read_extra(store, model))


def pending_embeddings(
    store: Store, config: MelsConfig, tracks: DatasetRef, model: DatasetRef, retry: Retry | None = None
) -> list[int]:
    """Return the shards that this model has not embedded yet, or that have tracks to be tried again."""
    with store.snapshot():
        found = find_extractions(store, config, tracks, None, EVIDENCE)
        best = {shard: next(iter(names), None) for shard, names in found.items()}
        again = to_try_again(store, filter(None, best.values()), retry or Retry(), embedding=True)
        return [
            shard
            for shard, name in best.items()
            if name is None or name in again or not store.has_part("embeddings", embeddings_part(name, model))
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
    """Embed `shards` and write their parts; returns the number of embedded tracks.

    At the end, it logs how busy the encoder was.
    """
    wanted, n_tracks, done, left = set(shards), 0, 0, []
    sizes = {shard_of(part.name): part.rows or 0 for part in store.manifest(tracks).parts}
    total = sum(sizes[shard] for shard in wanted & sizes.keys())
    results = [("embeddings", lambda extraction: embeddings_part(extraction, model)), MELS_PART]
    readers = max(min(workers.n, len(wanted), READERS), 1)
    network = network_of(store, model)

    def advance(n: int, _: int = 0) -> None:
        if on_progress:
            on_progress(done + n, total)

    def embed(clips: ShardClips, share: int = 1) -> int:
        parts = [copy.read(store) for copy in clips.copies if copy.dataset == "embeddings"]
        parts += encoder.map(_with_vectors(clips), beside_decoders=clips.is_decoded, share=share)
        table = in_order([*parts, EMBEDDINGS.empty_table()], clips.track_ids)
        store.write_part("embeddings", embeddings_part(clips.name, model), table)
        return table.num_rows

    with Encoder(lambda block: embed_tracks(block[0], _embedder(store.root, model), *block[1:]), workers.n) as encoder:
        shared = partial(embed, share=readers)
        counts = map_stored(
            store,
            tracks,
            sorted(wanted & sizes.keys()),
            config,
            workers.retry,
            results,
            shared,
            readers=readers,
            network=network,
        )
        with closing(counts):
            for shard, n in counts:
                if n is None:
                    left.append(shard)
                else:
                    n_tracks, done = n_tracks + n, done + sizes[shard]
                    advance(0)
        for clips in iter_results(
            store, tracks, left, config, workers, results=results, keep_mels=False, network=network, on_progress=advance
        ):
            n_tracks += embed(clips)
    if encoder.busy_s:
        _log.info("%d tracks embedded; the encoder was busy %.0f %% of the time", n_tracks, 100 * encoder.utilization)
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
    with store.snapshot():
        shards = find_extractions(store, config, tracks, None, EVIDENCE).values()
        pairs = [[(name, embeddings_part(name, model)) for name in names] for names in shards]
        done = [pair for names in pairs for pair in [p for p in names if store.has_part("embeddings", p[1])][:1]]
        if missing := len(shards) - len(done):
            raise IncompleteError(
                f"{missing} of {len(shards)} shards of {tracks} are not embedded; nothing was published, run the "
                "pipeline again"
            )
        extractions, names = [name for name, _ in done], [name for _, name in done]
        health, rejects = commit_evidence(store, tracks, extractions, config, max_reject_rate=max_reject_rate)
        check_accounts(store, tracks, rejects, names)
        network, vectors = network_of(store, model), []
        if network:
            if failed := check_vectors(store, network, extractions, max_fail_rate=max_reject_rate):
                _log.warning(failed)
            vectors = [commit_vectors(store, tracks, network, extractions)]
        return store.commit(
            "embeddings",
            names,
            recipe=fingerprint([CODE, names]),
            config={"mels": config.model_dump(mode="json")},
            parents=[tracks, model, health, rejects, *vectors],
        )


def _with_vectors(clips: ShardClips) -> Iterator[tuple]:
    """Each block of mels, with the vectors of its tracks if there is a network."""
    for mels in clips.blocks:
        yield (mels, clips.vectors.of(mels)) if clips.vectors else (mels,)


def embed_tracks(mels: pa.Table, embedder: Embedder, vectors: Sequence[np.ndarray | None] | None = None) -> pa.Table:
    """Compute rows of `embeddings` from rows of `mels`, which must be grouped by track.

    `vectors` are those of a network of waveforms, one per track; None where it failed.
    """
    embeddings, errors, levels = embedder.embed(mel_codes(mels))
    level_db = levels + mels["peak_db"].to_numpy()
    track_ids = mels["track_id"].to_numpy()
    starts = np.flatnonzero(np.r_[True, track_ids[1:] != track_ids[:-1]]) if len(track_ids) else np.empty(0, int)
    ends = np.r_[starts[1:], len(track_ids)]
    clips, levels_db = (np.split(of_all, starts[1:]) if len(starts) else [] for of_all in (embeddings, level_db))
    if vectors is None:
        pooled = [embedder.pool(*of_track) for of_track in zip(clips, levels_db, strict=True)]
    else:
        pooled = embedder.pool_with(vectors, clips, levels_db)
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


def embeddings_part(extraction: str, model: DatasetRef) -> str:
    """Name the part of `embeddings` that `model` makes from an extraction."""
    return part_fingerprint(shard_of(extraction), [CODE, extraction, str(model)])


def _embedder(root: str, model: DatasetRef) -> Embedder:
    with _LOADING:  # the first of several threads loads it
        return _loaded(root, model)


@lru_cache(maxsize=1)
def _loaded(root: str, model: DatasetRef) -> Embedder:
    return load_embedder(Store(root), model, threads=1)
