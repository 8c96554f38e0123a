"""Flow train: train the model on the stored mels."""

from prefect import get_run_logger

from audioae.flows.artifacts import publish_artifact
from audioae.flows.common import log_progress
from audioae.flows.launch import read_settings
from audioae.flows.reporting import reported_flow
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@reported_flow
def train(config_path: str, overrides: list[str] | None = None, mels: str | None = None) -> str:
    """Train the configured model on the current mels (or on `mels`) and publish `model`.

    A killed run resumes from its checkpoint. The current model is kept while it is still good: same settings, and a
    catalog that has grown by less than train.retrain_growth.
    """
    from audioae.pipeline.train import train_model

    config = read_settings("train", config_path, overrides)
    store = Store(config.store)
    mels_ref = DatasetRef.parse(mels) if mels else store.require("mels")
    ref = train_model(
        store,
        config.model,
        config.train,
        mels_ref,
        extra=config.embedding.extra,
        log_dir=config.log_dir,
        on_progress=log_progress("steps"),
        say=get_run_logger().info,
    )
    trained_on = store.manifest(ref).parent("mels")
    publish_artifact("train", str(ref), {"trained on": trained_on, "kept for": mels_ref})
    return str(ref)
