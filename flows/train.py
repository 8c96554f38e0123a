"""Flow train: train the model on the stored mels. Run: python -m flows.train CONFIG"""

from typing import Any

from prefect import flow

from audioae.config import load_config
from audioae.pipeline.train import train_model
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from flows.common import main, progress, publish_artifact


@flow(name="train", persist_result=False)
def train(config_path: str, overrides: list[str] | None = None, mels: str | None = None) -> str:
    """Train the configured model on the current mels (or on `mels`) and publish `model`.

    Goes on from the checkpoint of a run that was killed. Keeps the current model while it is still good: same settings,
    and a catalog that has grown by less than train.retrain_growth.
    """
    config = load_config(PipelineConfig, config_path, overrides or [])
    store = Store(config.store)
    mels_ref = DatasetRef.parse(mels) if mels else store.require("mels")
    report = progress("steps")

    def on_row(row: dict[str, Any]) -> None:
        terms = ", ".join(f"{name} {row[name]:.3g}" for name in ("loss", "perplexity") if name in row)
        report(row["step"], config.train.steps, f"{row['split']} {terms}")

    ref = train_model(store, config.model, config.train, mels_ref, log_dir=config.log_dir, on_progress=on_row)
    trained_on = store.manifest(ref).parent("mels")
    publish_artifact("train", str(ref), {"trained on": trained_on, "kept for": mels_ref})
    return str(ref)


if __name__ == "__main__":
    main(train)
