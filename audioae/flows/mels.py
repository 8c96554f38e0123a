"""Flow mels: decode the catalog once into clips, evidence and rejects."""

from functools import partial

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from audioae.flows.common import log_progress, map_groups, publish_artifact, retry_unless_ours
from audioae.flows.launch import read_settings
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@task(retries=2, retry_delay_seconds=2, retry_condition_fn=retry_unless_ours, cache_policy=NO_CACHE)
def decode_shards(config: PipelineConfig, tracks: str, shards: list[int]) -> int:
    """Decode a group of shards; a shard whose part exists is only read."""
    from audioae.pipeline.mels import compute_mels

    store, workers = Store(config.store), config.run.decode_workers
    return compute_mels(store, config.mels, DatasetRef.parse(tracks), shards, workers, log_progress("tracks decoded"))


@flow(name="mels", persist_result=False)
def mels(config_path: str, overrides: list[str] | None = None, tracks: str | None = None) -> str:
    """Decode the tracks of the current catalog (or of `tracks`) and publish `mels`, `health` and `rejects`."""
    from audioae.pipeline.mels import commit_mels, pending_mels

    config = read_settings("mels", config_path, overrides)
    store = Store(config.store)
    tracks_ref = DatasetRef.parse(tracks) if tracks else store.require("tracks")
    pending = partial(pending_mels, store, config.mels, tracks_ref, config.run.decode_workers.retry)
    computed = map_groups(config.run, decode_shards, pending, config=config, tracks=str(tracks_ref))
    ref = commit_mels(store, config.mels, tracks_ref, max_reject_rate=config.max_reject_rate)
    manifest = store.manifest(ref)
    rejected = store.manifest(manifest.parent("rejects")).rows
    sums = {
        "clips": manifest.rows,
        "rejected tracks": rejected,
        "shards": len(manifest.parts),
        "computed": computed,
    }
    publish_artifact("mels", str(ref), sums)
    return str(ref)
