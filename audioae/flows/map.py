"""Flow map: the places of all tracks on a map, and its named regions."""

from audioae.flows.artifacts import publish_artifact
from audioae.flows.common import log_steps
from audioae.flows.launch import read_settings, require_section
from audioae.flows.reporting import reported_flow
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@reported_flow
def map(config_path: str, overrides: list[str] | None = None, index: str | None = None) -> str:
    """Lay out the tracks of the current index (or of `index`) on a map like the last one, and publish it."""
    from audioae.maps.table import publish_map

    config = read_settings("map", config_path, overrides)
    settings = require_section(config.map, "map", config_path)
    store = Store(config.store)
    index_ref = DatasetRef.parse(index) if index else store.require("index")
    ref = publish_map(store, settings, index_ref, log_steps())
    manifest = store.manifest(ref)
    regions = store.manifest(manifest.parent("regions")).rows
    publish_artifact("map", str(ref), {"tracks": manifest.rows, "regions": regions, **manifest.config["measured"]})
    return str(ref)
