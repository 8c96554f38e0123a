"""The whole chain: catalog -> mels -> train -> embed -> index -> screen, then a summary.

Run: python -m flows.pipeline CONFIG
"""

import time
from collections.abc import Callable

from prefect import flow
from rich.console import Console

from audioae.config import load_config
from audioae.report.run_summary import summarize, summary_table, write_pictures
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from flows.catalog import catalog
from flows.common import main
from flows.embed import embed
from flows.index import index
from flows.mels import mels
from flows.screen import screen
from flows.train import train


@flow(name="pipeline", persist_result=False)
def pipeline(config_path: str, overrides: list[str] | None = None) -> str:
    """Run every stage on the configured catalog and print what came out.

    A stage whose result is there is looked up, not computed: a rerun, a run after a crash and a run on a grown catalog
    do only what is missing. Nothing is published by a stage that fails.
    """
    config = load_config(PipelineConfig, config_path, overrides or [])
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
    store, ref = Store(config.store), DatasetRef.parse(index_ref)
    table = summary_table(summarize(store, ref, seconds, findings), write_pictures(store, ref))
    Console(markup=False, emoji=False).print(table)  # a path or the detail of a rejection may look like markup
    return index_ref


if __name__ == "__main__":
    main(pipeline)
