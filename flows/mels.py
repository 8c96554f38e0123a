"""Flow mels: decode the catalog once into clips, evidence and rejects. Run: python -m flows.mels CONFIG"""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from audioae.config import load_config
from audioae.pipeline.mels import commit_mels, compute_mels, pending_mels
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from flows.common import main, map_groups, progress, publish_artifact, retry_unless_ours


@task(retries=2, retry_delay_seconds=2, retry_condition_fn=retry_unless_ours, cache_policy=NO_CACHE)
def decode_shards(config: PipelineConfig, tracks: str, shards: list[int]) -> int:
    """Decode a group of shards; those whose part is there are only read."""
    store = Store(config.store)
    workers = config.run.decode_workers
    return compute_mels(store, config.mels, DatasetRef.parse(tracks), shards, workers, progress("tracks decoded"))


@flow(name="mels", persist_result=False)
def mels(config_path: str, overrides: list[str] | None = None, tracks: str | None = None) -> str:
    """Decode the tracks of the current catalog (or of `tracks`) and publish `mels`, `health` and `rejects`."""
    config = load_config(PipelineConfig, config_path, overrides or [])
    store = Store(config.store)
    tracks_ref = DatasetRef.parse(tracks) if tracks else store.require("tracks")
    pending = pending_mels(store, config.mels, tracks_ref)
    map_groups(config.run, decode_shards, pending, config=config, tracks=str(tracks_ref))
    ref = commit_mels(store, config.mels, tracks_ref, max_reject_rate=config.max_reject_rate)
    manifest = store.manifest(ref)
    rejected = store.manifest(manifest.parent("rejects")).rows
    sums = {
        "clips": manifest.rows,
        "rejected tracks": rejected,
        "shards": len(manifest.parts),
        "computed": len(pending),
    }
    publish_artifact("mels", str(ref), sums)
    return str(ref)


if __name__ == "__main__":
    main(mels)
