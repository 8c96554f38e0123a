"""Flow screen: find the tracks that are mislabeled, corrupt, generated or duplicates."""

from audioae.flows.artifacts import publish_artifact
from audioae.flows.common import log_steps
from audioae.flows.launch import read_settings, require_section
from audioae.flows.reporting import reported_flow
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@reported_flow
def screen(config_path: str, overrides: list[str] | None = None, index: str | None = None) -> str:
    """Run every check of `screen` on the catalog of the current index (or of `index`) and publish `findings`.

    Verdicts on earlier findings are given back by --set screen.verdicts=FILE.csv.
    """
    from audioae.screening.findings import Findings
    from audioae.screening.run import screen_store

    config = read_settings("screen", config_path, overrides)
    checks = require_section(config.screen, "screen", config_path)
    store = Store(config.store)
    index_ref = DatasetRef.parse(index) if index else store.require("index")
    ref = screen_store(store, checks, index_ref, config.run.local_workers, log_steps())
    rows = Findings(store, ref).overview()
    counts = {row["check"]: f"{row['issues']} issues, {row['screened']} tracks screened" for row in rows}
    publish_artifact("screen", str(ref), {**counts, "of": str(index_ref)})
    return str(ref)
