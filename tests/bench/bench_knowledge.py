"""What the embedding knows of tempo, energy and singing: the catalog of configs/evaluation.yaml, which tells them all.

It makes its catalog and store below data/knowledge, or finds them there. The cited part of the evaluation, with what
carries each number, is written to results/knowledge.json. `tempograms` says what mels tell of tempo without a model.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audioae.api import Library
from audioae.config import load_config
from audioae.demo.write import synthesize
from audioae.evaluation.run import evaluate_store
from audioae.library.track_vectors import vectors_from_store, with_targets
from audioae.library.truth import read_truth
from audioae.pages.metric_sections import carrier_row
from audioae.pipeline.config import Workers
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from tests.bench import documents, tempograms
from tests.bench.harness import Row
from tests.chain import run_chain

ROOT = Path("data/knowledge")
RESULTS = Path(__file__).parent / "results"
OWN = "model"
BARS = {"R2 of tempo_bpm": 0.75, "R2 of energy": 0.8, "AUROC of instrumentalness": 0.9}
SHOWN = ("MFCC", "librosa features")


def measure() -> list[Row]:
    overrides = [f"store={ROOT}/store", f"catalog.source={ROOT}/music"]
    config = load_config(PipelineConfig, "configs/evaluation.yaml", overrides)
    assert config.synth is not None
    synthesize(Path(config.catalog.source), config.synth)
    run_chain(config)
    truth = f"{config.catalog.source}/truth.csv"
    store = Store(config.store)
    library = Library(store)
    document = evaluate_store(library, truth=truth, robustness_tracks=0, workers=Workers(n=2), progress=_say).document
    kept = documents.cited(document, ("R2", "AUROC", "mAP by label, other", "kNN by label, other", "linear probe"))
    documents.write(RESULTS / "knowledge.json", {**kept, "carriers": document["carriers"]})
    tracks = vectors_from_store(store, library.embeddings_ref, document["n_tracks"])
    bounds = tempograms.measure(store, store.require("mels"), with_targets(tracks, read_truth(truth, tracks)[0]))
    return [_row(document, key, bar) for key, bar in BARS.items()] + bounds + _carriers(document)


def _row(document: Mapping[str, Any], key: str, bar: float) -> Row:
    found = {metric["key"]: metric["results"] for metric in document["metrics"]}
    results = next(entries for name, entries in found.items() if name.startswith(f"{key} ("))
    own = results[OWN]
    within = next((entries for name, entries in found.items() if name.startswith(f"{key}, within")), None)
    notes = [f"[{own['low']:.3f}, {own['high']:.3f}]"]
    notes += [f"within labels {within[OWN]['value']:.3f}"] if within else []
    notes += [f"{name} {results[name]['value']:.3f} ({results[name]['verdict']})" for name in SHOWN if name in results]
    return Row(f"{document['n_tracks']} tracks, {key}", own["value"], bar, "", "; ".join(notes))


def _carriers(document: Mapping[str, Any]) -> list[Row]:
    rows = []
    for carrier in document["carriers"]:
        note = "; ".join(text for text in list(carrier_row(carrier).values())[3:] if text)
        needed = carrier["needed"] or float("nan")
        rows.append(Row(f"dimensions for 90 % of the R2 of {carrier['target']}", needed, None, "", note))
    return rows


def _say(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total:
        print(f"   {what} {done}/{total}", file=sys.stderr, flush=True)
