"""Flow catalog: scan the source and publish `tracks`. Run: python -m flows.catalog CONFIG"""

from pathlib import Path

from prefect import flow

from audioae.config import load_config
from audioae.demo.write import synthesize
from audioae.pipeline.tracks import update_tracks
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from flows.common import main, progress, publish_artifact


@flow(name="catalog", persist_result=False)
def catalog(config_path: str, overrides: list[str] | None = None) -> str:
    """Scan catalog.source (a folder, a CSV or a Parquet manifest) and publish the dataset `tracks`.

    With a `synth` section the demo catalog is synthesized into catalog.source first.
    """
    config = load_config(PipelineConfig, config_path, overrides or [])
    if config.synth:
        synthesize(Path(config.catalog.source), config.synth, progress("tracks synthesized"))
    store = Store(config.store)
    ref = update_tracks(store, config.catalog, progress("files scanned"))
    manifest = store.manifest(ref)
    publish_artifact("catalog", str(ref), {"tracks": manifest.rows, "shards": len(manifest.parts)})
    return str(ref)


if __name__ == "__main__":
    main(catalog)
