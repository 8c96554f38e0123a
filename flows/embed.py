"""Flow embed: one 128-d embedding per track. Run: python -m flows.embed CONFIG"""

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from audioae.config import load_config
from audioae.pipeline.embed import commit_embeddings, compute_embeddings, pending_embeddings
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from flows.common import main, map_groups, progress, publish_artifact, retry_unless_ours


@task(retries=2, retry_delay_seconds=2, retry_condition_fn=retry_unless_ours, cache_policy=NO_CACHE)
def embed_shards(config: PipelineConfig, tracks: str, model: str, shards: list[int]) -> int:
    """Embed a group of shards: from stored mels where they are, from audio where not."""
    refs = DatasetRef.parse(tracks), DatasetRef.parse(model)
    workers = config.run.decode_workers
    return compute_embeddings(Store(config.store), config.mels, *refs, shards, workers, progress("tracks embedded"))


@flow(name="embed", persist_result=False)
def embed(
    config_path: str, overrides: list[str] | None = None, tracks: str | None = None, model: str | None = None
) -> str:
    """Embed the current catalog (or `tracks`) with the current model (or `model`) and publish `embeddings`."""
    config = load_config(PipelineConfig, config_path, overrides or [])
    store = Store(config.store)
    tracks_ref = DatasetRef.parse(tracks) if tracks else store.require("tracks")
    model_ref = DatasetRef.parse(model) if model else store.require("model")
    pending = pending_embeddings(store, config.mels, tracks_ref, model_ref)
    map_groups(config.run, embed_shards, pending, config=config, tracks=str(tracks_ref), model=str(model_ref))
    ref = commit_embeddings(store, config.mels, tracks_ref, model_ref, max_reject_rate=config.max_reject_rate)
    sums = {"tracks": store.manifest(ref).rows, "model": model_ref, "shards computed": len(pending)}
    publish_artifact("embed", str(ref), sums)
    return str(ref)


if __name__ == "__main__":
    main(embed)
