"""Flow similar: the nearest tracks of every track, as a table."""

from audioae.flows.artifacts import publish_artifact
from audioae.flows.launch import read_settings
from audioae.flows.reporting import reported_flow
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@reported_flow
def similar(config_path: str, overrides: list[str] | None = None, index: str | None = None) -> str:
    """Publish the `similar.k` nearest tracks of every track of the current index (or of `index`)."""
    from audioae.similarity.table import publish_similar

    config = read_settings("similar", config_path, overrides)
    store = Store(config.store)
    index_ref = DatasetRef.parse(index) if index else store.require("index")
    ref = publish_similar(store, config.similar, index_ref)
    publish_artifact("similar", str(ref), {"neighbors": store.manifest(ref).rows, "by": str(index_ref)})
    return str(ref)
