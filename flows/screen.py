"""Flow screen: what is wrong with which track of the catalog. Run: python -m flows.screen CONFIG"""

from prefect import flow

from audioae.config import load_config
from audioae.errors import ConfigError
from audioae.screening.findings import Findings
from audioae.screening.run import screen_store
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from flows.common import logged, main, publish_artifact


@flow(name="screen", persist_result=False)
def screen(config_path: str, overrides: list[str] | None = None, index: str | None = None) -> str:
    """Let every check of `screen` look at the catalog of the current index (or of `index`) and publish `findings`.

    Verdicts on earlier findings are given back by --set screen.verdicts=FILE.csv.
    """
    config = load_config(PipelineConfig, config_path, overrides or [])
    if config.screen is None:
        raise ConfigError(f"{config_path}: screen is null; give it a section, such as screen: {{}}")
    store = Store(config.store)
    index_ref = DatasetRef.parse(index) if index else store.require("index")
    ref = screen_store(store, config.screen, index_ref, config.run.local_workers, logged())
    rows = Findings(store, ref).overview()
    counts = {row["check"]: f"{row['issues']} issues, {row['screened']} tracks screened" for row in rows}
    publish_artifact("screen", str(ref), {**counts, "of": str(index_ref)})
    return str(ref)


if __name__ == "__main__":
    main(screen)
