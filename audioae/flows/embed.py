"""Flow embed: one 128-d embedding per track."""

from functools import partial

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from audioae.flows.common import log_progress, map_groups, publish_artifact, retry_unless_ours
from audioae.flows.launch import read_settings
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@task(retries=2, retry_delay_seconds=2, retry_condition_fn=retry_unless_ours, cache_policy=NO_CACHE)
def embed_shards(config: PipelineConfig, tracks: str, model: str, shards: list[int]) -> int:
    """Embed a group of shards: from stored mels where they exist, from audio elsewhere."""
    from audioae.pipeline.embed import compute_embeddings

    refs = DatasetRef.parse(tracks), DatasetRef.parse(model)
    workers = config.run.decode_workers
    return compute_embeddings(Store(config.store), config.mels, *refs, shards, workers, log_progress("tracks embedded"))


@flow(name="embed", persist_result=False)
def embed(
    config_path: str, overrides: list[str] | None = None, tracks: str | None = None, model: str | None = None
) -> str:
    """Embed the current catalog (or `tracks`) with the current model (or `model`) and publish `embeddings`."""
    from audioae.pipeline.embed import commit_embeddings, pending_embeddings

    config = read_settings("embed", config_path, overrides)
    store = Store(config.store)
    tracks_ref = DatasetRef.parse(tracks) if tracks else store.require("tracks")
    model_ref = DatasetRef.parse(model) if model else store.require("model")
    pending = partial(pending_embeddings, store, config.mels, tracks_ref, model_ref, config.run.decode_workers.retry)
    computed = map_groups(
        config.run, embed_shards, pending, config=config, tracks=str(tracks_ref), model=str(model_ref)
    )
    ref = commit_embeddings(store, config.mels, tracks_ref, model_ref, max_reject_rate=config.max_reject_rate)
    sums = {"tracks": store.manifest(ref).rows, "model": model_ref, "shards computed": computed}
    publish_artifact("embed", str(ref), sums)
    return str(ref)
