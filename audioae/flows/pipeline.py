"""The whole chain: catalog -> mels -> train -> embed -> index -> screen, then a summary."""

import time
from collections.abc import Callable

from prefect import flow

from audioae.flows.catalog import catalog
from audioae.flows.embed import embed
from audioae.flows.index import index
from audioae.flows.launch import read_settings
from audioae.flows.mels import mels
from audioae.flows.screen import screen
from audioae.flows.train import train
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@flow(name="pipeline", persist_result=False)
def pipeline(config_path: str, overrides: list[str] | None = None) -> str:
    """Run every stage on the configured catalog and print a summary.

    A stage whose result exists is looked up, not computed: a rerun, a run after a crash and a run on a grown catalog
    compute only what is missing. A stage that fails publishes nothing.
    """
    config = read_settings("pipeline", config_path, overrides)
    arguments = (config_path, overrides or [])
    seconds: dict[str, float] = {}

    def timed(stage: Callable[..., str], *refs: str) -> str:
        start = time.perf_counter()
        ref = stage(*arguments, *refs)
        seconds[stage.name] = time.perf_counter() - start  # type: ignore[attr-defined]  # flows have names
        return ref

    tracks = timed(catalog)
    mels_ref = timed(mels, tracks)
    model = timed(train, mels_ref)
    embeddings = timed(embed, tracks, model)
    index_ref = timed(index, embeddings)
    findings = DatasetRef.parse(timed(screen, index_ref)) if config.screen else None
    _print_summary(Store(config.store), DatasetRef.parse(index_ref), seconds, findings)
    return index_ref


def _print_summary(store: Store, index_ref: DatasetRef, seconds: dict[str, float], findings: DatasetRef | None) -> None:
    from rich.console import Console

    from audioae.report.run_summary import summarize, summary_table, write_pictures

    table = summary_table(summarize(store, index_ref, seconds, findings), write_pictures(store, index_ref))
    Console(markup=False, emoji=False).print(table)  # a path or the detail of a rejection may look like markup
