"""Stage mels: tracks become 3-second mel clips, evidence of faults, and reasons for rejection.

Training reads the stored mels. With `max_stored_tracks` only a sample of shards is stored, chosen by a hash of the
shard number: the sample covers the whole catalog, and a catalog that grows keeps its sample.

A user's network of waveforms (`network.py`) is run on the same decode. A new network decodes all files again.
"""

from collections.abc import Sequence

from audioae.config import fingerprint
from audioae.errors import IncompleteError
from audioae.pipeline.accounting import commit_evidence
from audioae.pipeline.clips import iter_clips
from audioae.pipeline.config import MelsConfig, Retry, Workers
from audioae.pipeline.extraction import CODE
from audioae.pipeline.network_vectors import check_vectors
from audioae.pipeline.shard_plan import VECTORS, vectors_part
from audioae.pipeline.shard_states import find_extractions, to_try_again
from audioae.pipeline.shards import shard_numbers, shard_of
from audioae.progress import Advance
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


def plan_mels(store: Store, config: MelsConfig, tracks: DatasetRef) -> list[int]:
    """Choose the shards whose mels are stored, ascending."""
    if config.max_stored_tracks is None:
        return shard_numbers(store, tracks)
    sizes = {shard_of(part.name): part.rows or 0 for part in store.manifest(tracks).parts}
    chosen, n_tracks = [], 0
    for shard in sorted(sizes, key=lambda shard: fingerprint(["sample", shard])):
        if chosen and n_tracks + sizes[shard] > config.max_stored_tracks:
            break
        chosen.append(shard)
        n_tracks += sizes[shard]
    return sorted(chosen)


def pending_mels(
    store: Store,
    config: MelsConfig,
    tracks: DatasetRef,
    retry: Retry | None = None,
    *,
    network: DatasetRef | None = None,
) -> list[int]:
    """Return the planned shards that are not stored yet, or have tracks that are to be tried again.

    With a `network`, also those whose vectors are not stored yet.
    """
    with store.snapshot():
        best = _best(store, config, tracks)
        again = to_try_again(store, filter(None, best.values()), retry or Retry(), embedding=False)
        if network:
            names = filter(None, best.values())
            again |= {name for name in names if not store.has_part(VECTORS, vectors_part(name, network))}
    return [shard for shard, name in best.items() if name is None or name in again]


def compute_mels(
    store: Store,
    config: MelsConfig,
    tracks: DatasetRef,
    shards: Sequence[int],
    workers: Workers,
    on_progress: Advance | None = None,
    *,
    network: DatasetRef | None = None,
) -> int:
    """Decode `shards` and write their parts; returns the number of clips."""
    options = {"keep_mels": True, "network": network, "on_progress": on_progress}
    blocks = iter_clips(store, tracks, shards, config, workers, **options)
    return sum(mels.num_rows for mels in blocks)


def commit_mels(
    store: Store, config: MelsConfig, tracks: DatasetRef, *, max_reject_rate: float, network: DatasetRef | None = None
) -> DatasetRef:
    """Publish `health`, `rejects` and `mels` of a catalog version; the stage embed publishes vectors of the `network`.

    Raises
    ------
    IncompleteError
        If a planned shard is not stored.
    StoreError
        If too many tracks were rejected, or the network failed on too many.
    """
    with store.snapshot():
        best = _best(store, config, tracks)
        names = [name for name in best.values() if name]
        if missing := len(best) - len(names):
            raise IncompleteError(
                f"the mels of {missing} of {len(best)} shards of {tracks} are missing; nothing was published, run the "
                "pipeline again"
            )
        if network:
            check_vectors(store, network, names, max_fail_rate=max_reject_rate)
        evidence = commit_evidence(store, tracks, names, config, max_reject_rate=max_reject_rate)
        settings = config.model_dump(mode="json")
        recipe = fingerprint([CODE, names, settings])
        return store.commit("mels", names, recipe=recipe, config=settings, parents=[tracks, *evidence])


def _best(store: Store, config: MelsConfig, tracks: DatasetRef) -> dict[int, str | None]:
    """The extraction that counts of each planned shard, or None."""
    planned, datasets = plan_mels(store, config, tracks), ("mels", "health", "rejects")
    found = find_extractions(store, config, tracks, planned, datasets)
    return {shard: next(iter(names), None) for shard, names in found.items()}
