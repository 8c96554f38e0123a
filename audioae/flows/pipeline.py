"""The whole chain: catalog -> mels -> train -> embed -> index -> map -> screen, then a summary."""

from audioae.flows.artifacts import publish_summary
from audioae.flows.catalog import catalog
from audioae.flows.embed import embed
from audioae.flows.index import index
from audioae.flows.launch import read_settings
from audioae.flows.map import map as lay_out
from audioae.flows.mels import mels
from audioae.flows.reporting import current, reported_flow
from audioae.flows.screen import screen
from audioae.flows.train import train
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@reported_flow
def pipeline(config_path: str, overrides: list[str] | None = None) -> str:
    """Run every stage on the configured catalog and print a summary.

    A stage whose result exists is looked up, not computed: a rerun, a run after a crash and a run on a grown catalog
    compute only what is missing. A stage that fails publishes nothing.
    """
    config = read_settings("pipeline", config_path, overrides)
    arguments = (config_path, overrides or [])
    tracks = catalog(*arguments)
    mels_ref = mels(*arguments, tracks)
    model = train(*arguments, mels_ref)
    embeddings = embed(*arguments, tracks, model)
    index_ref = index(*arguments, embeddings)
    if config.map:
        lay_out(*arguments, index_ref)
    findings = DatasetRef.parse(screen(*arguments, index_ref)) if config.screen else None
    _summarize(config, DatasetRef.parse(index_ref), findings)
    return index_ref


def _summarize(config: PipelineConfig, index_ref: DatasetRef, findings: DatasetRef | None) -> None:
    """Print what the run did, and leave it in Prefect's page."""
    from rich.console import Console

    from audioae.report.run_summary import map_key, summarize, summary_table, write_pictures

    store, report = Store(config.store), current()
    summary = summarize(store, index_ref, dict(report.row.seconds) if report else {}, findings)
    pictures = write_pictures(store, index_ref)
    Console(markup=False, emoji=False).print(summary_table(summary, pictures))  # a path may look like markup
    publish_summary(summary, store.storage.read(map_key(store, index_ref)), config.run.report_url)
