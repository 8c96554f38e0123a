"""Flow catalog: scan the source and publish `tracks`."""

import logging
from pathlib import Path

from audioae.flows.artifacts import publish_artifact
from audioae.flows.common import log_progress
from audioae.flows.launch import read_settings
from audioae.flows.reporting import reported_flow


@reported_flow
def catalog(config_path: str, overrides: list[str] | None = None) -> str:
    """Scan catalog.source (a folder, a CSV or a Parquet manifest) and publish the dataset `tracks`.

    With a `synth` section, the demo catalog is first synthesized into catalog.source, if there is no music yet.
    """
    from audioae.demo.write import synthesize
    from audioae.pipeline.tracks import update_tracks
    from audioae.store.dataset import Store

    config = read_settings("catalog", config_path, overrides)
    logging.getLogger("audioae.catalog").setLevel(logging.INFO)  # what was left out
    if config.to_synthesize:
        synthesize(Path(config.catalog.source), config.to_synthesize, log_progress("tracks synthesized"))
    store = Store(config.store)
    ref = update_tracks(store, config.catalog, log_progress("files scanned"))
    manifest = store.manifest(ref)
    publish_artifact("catalog", str(ref), {"tracks": manifest.rows, "shards": len(manifest.parts)})
    return str(ref)
