"""Flow playlists: the playlists of a config, as a table."""

from audioae.flows.artifacts import publish_artifact
from audioae.flows.common import log_steps
from audioae.flows.launch import read_settings
from audioae.flows.reporting import reported_flow
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@reported_flow
def playlists(config_path: str, overrides: list[str] | None = None, index: str | None = None) -> str:
    """Build every playlist of the section `playlists` on the current index (or `index`) and publish them together."""
    from audioae.playlists.table import publish_playlists

    config = read_settings("playlists", config_path, overrides)
    store = Store(config.store)
    index_ref = DatasetRef.parse(index) if index else store.require("index")
    ref = publish_playlists(store, config.playlists, index_ref, config.run.local_workers, log_steps())
    publish_artifact("playlists", str(ref), {"tracks": store.manifest(ref).rows, "of": str(index_ref)})
    return str(ref)
