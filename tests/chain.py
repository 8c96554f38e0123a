"""The whole chain without Prefect: the stage functions run one after another in this process."""

from audioae.config import load_config
from audioae.pipeline.embed import commit_embeddings, compute_embeddings, pending_embeddings
from audioae.pipeline.index import build_index
from audioae.pipeline.mels import commit_mels, compute_mels, pending_mels
from audioae.pipeline.network import publish_network
from audioae.pipeline.tracks import update_tracks
from audioae.pipeline.train import train_model
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


def run_chain(config: PipelineConfig, model: DatasetRef | None = None) -> DatasetRef:
    """Run catalog -> mels -> train -> embed -> index and return the index; a given `model` replaces training."""
    store, workers = Store(config.store), config.run.decode_workers
    tracks = update_tracks(store, config.catalog)
    network = publish_network(store, config.embedding.extra)
    pending = pending_mels(store, config.mels, tracks, network=network)
    compute_mels(store, config.mels, tracks, pending, workers, network=network)
    mels = commit_mels(store, config.mels, tracks, max_reject_rate=config.max_reject_rate, network=network)
    model = model or train_model(store, config.model, config.train, mels, extra=config.embedding.extra)
    pending = pending_embeddings(store, config.mels, tracks, model)
    compute_embeddings(store, config.mels, tracks, model, pending, workers)
    embeddings = commit_embeddings(store, config.mels, tracks, model, max_reject_rate=config.max_reject_rate)
    return build_index(store, config.index, embeddings)


def run_configured(path: str, overrides: list[str]) -> None:
    """Run `run_chain` with arguments that are strings, for a child process."""
    run_chain(load_config(PipelineConfig, path, overrides))


def copy_datasets(source: Store, target: Store, *datasets: str) -> None:
    """Copy the published versions of `datasets` to a second store."""
    for dataset in datasets:
        for key in source.storage.list(dataset):
            target.storage.write(key, source.storage.read(key))
