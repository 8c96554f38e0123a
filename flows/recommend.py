"""Flow recommend: new tracks for every listener of a play log. Run: python -m flows.recommend CONFIG"""

from prefect import flow

from audioae.config import load_config
from audioae.errors import ConfigError
from audioae.recommend.recommender import recommend_all
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from flows.common import main, publish_artifact


@flow(name="recommend", persist_result=False)
def recommend(config_path: str, overrides: list[str] | None = None, embeddings: str | None = None) -> str:
    """Recommend new tracks to every listener of `recommend.plays`, by the current embeddings (or `embeddings`)."""
    config = load_config(PipelineConfig, config_path, overrides or [])
    if config.recommend is None:
        raise ConfigError(f"{config_path}: no play log; add --set recommend.plays=plays.parquet (or .csv)")
    store = Store(config.store)
    embeddings_ref = DatasetRef.parse(embeddings) if embeddings else store.require("embeddings")
    ref = recommend_all(store, config.recommend, embeddings_ref)
    publish_artifact("recommend", str(ref), {"recommendations": store.manifest(ref).rows, "by": str(embeddings_ref)})
    return str(ref)


if __name__ == "__main__":
    main(recommend)
