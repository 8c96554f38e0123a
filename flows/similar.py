"""Flow similar: the nearest tracks of every track, as a table. Run: python -m flows.similar CONFIG"""

from prefect import flow

from audioae.config import load_config
from audioae.settings import PipelineConfig
from audioae.similarity.table import publish_similar
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from flows.common import main, publish_artifact


@flow(name="similar", persist_result=False)
def similar(config_path: str, overrides: list[str] | None = None, index: str | None = None) -> str:
    """Publish the `similar.k` nearest tracks of every track of the current index (or of `index`)."""
    config = load_config(PipelineConfig, config_path, overrides or [])
    store = Store(config.store)
    index_ref = DatasetRef.parse(index) if index else store.require("index")
    ref = publish_similar(store, config.similar, index_ref)
    publish_artifact("similar", str(ref), {"neighbors": store.manifest(ref).rows, "by": str(index_ref)})
    return str(ref)


if __name__ == "__main__":
    main(similar)
