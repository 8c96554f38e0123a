"""Flow playlists: the playlists that the config asks for, as a table. Run: python -m flows.playlists CONFIG"""

from prefect import flow

from audioae.config import load_config
from audioae.playlists.table import publish_playlists
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from flows.common import logged, main, publish_artifact


@flow(name="playlists", persist_result=False)
def playlists(config_path: str, overrides: list[str] | None = None, index: str | None = None) -> str:
    """Make every playlist of the section `playlists` over the current index (or `index`), and publish them together."""
    config = load_config(PipelineConfig, config_path, overrides or [])
    store = Store(config.store)
    index_ref = DatasetRef.parse(index) if index else store.require("index")
    ref = publish_playlists(store, config.playlists, index_ref, config.run.local_workers, logged())
    publish_artifact("playlists", str(ref), {"tracks": store.manifest(ref).rows, "of": str(index_ref)})
    return str(ref)


if __name__ == "__main__":
    main(playlists)
