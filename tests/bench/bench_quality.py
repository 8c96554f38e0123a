"""Quality of the default model: two catalogs, two seeds, baselines in the same run, compared with the bars.

It makes its stores below data/quality, saves its trainings there, and resumes after an interruption: 11 trainings of
`STEPS` steps, 2 to 3 minutes each on one idle core. The catalog of real recordings (`tests/recordings.py`) is left out
where there is none. The cited part of its documents is written to results/quality-<catalog>.json.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audioae.api import Library
from audioae.config import load_config
from audioae.demo.write import synthesize
from audioae.evaluation.compare_models import compare_models
from audioae.evaluation.run import evaluate_store
from audioae.metrics.document import interval_text
from audioae.model.train_config import TrainConfig
from audioae.pipeline.config import Workers
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from tests import recordings
from tests.bench import documents
from tests.bench.harness import Row
from tests.chain import run_chain

ROOT = Path("data/quality")
RESULTS = Path(__file__).parent / "results"
RECORDINGS = recordings.FOLDER / "esc10.csv"
STEPS = 300
WORKERS = Workers(n=2)
OWN = "default"
CITED = {
    "demo": ("mAP by label, other artists", "kNN by label, other artists", "R2 of", "never in a top 10"),
    "recordings": ("mAP by label", "kNN by label", "linear probe"),
}
PERTURBATIONS = ("shift 1,200 ms", "mp3 128 kb/s")


def measure() -> list[Row]:
    config = load_config(PipelineConfig, "configs/demo.yaml", _overrides("demo", f"catalog.source={ROOT}/demo-catalog"))
    assert config.synth is not None
    synthesize(Path(config.catalog.source), config.synth)
    rows = _demo(*_measured("demo", config, truth=f"{config.catalog.source}/truth.csv"))
    if RECORDINGS.exists():
        overrides = _overrides("recordings", f"catalog.source={RECORDINGS}", "catalog.columns={split: fold}")
        config = load_config(PipelineConfig, "configs/pipeline.yaml", overrides)
        rows += _recordings(*_measured("recordings", config, inductive=True))
    return rows


def _overrides(name: str, *settings: str) -> list[str]:
    return [f"store={ROOT}/{name}", f"train.steps={STEPS}", *settings]


def _measured(name: str, config: PipelineConfig, truth: str | None = None, inductive: bool = False):
    """Comparison over two seeds, the evaluation of the published model, and the inductive comparison."""
    run_chain(config)
    store, folder = Store(config.store), ROOT / f"{name}-trained"
    train = TrainConfig.model_validate(
        {key: value for key, value in config.train.model_dump().items() if key in TrainConfig.model_fields}
    )
    models, say = {OWN: config.model}, _say
    compared = compare_models(store, models, train, truth=truth, folder=folder, workers=WORKERS, progress=say)
    evaluated = evaluate_store(Library(store), truth=truth, workers=WORKERS, progress=say).document
    whole = {"compared": compared, "evaluated": evaluated}
    if inductive:
        whole["inductive"] = compare_models(
            store, models, train, seeds=1, inductive=True, folder=folder, workers=WORKERS, progress=say
        )
    kept = {what: documents.cited(document, CITED[name]) for what, document in whole.items()}
    documents.write(RESULTS / f"quality-{name}.json", kept)
    return compared, evaluated, whole.get("inductive", {})


def _demo(compared: Mapping[str, Any], evaluated: Mapping[str, Any], _: Mapping[str, Any]) -> list[Row]:
    rows = []
    for key in ("mAP by label, other", "kNN by label, other", "R2 of tempo", "R2 of energy", "R2 of instrumentalness"):
        results = _find(compared, key)["results"]
        others = [entry for name, entry in results.items() if name != OWN]
        beaten = sum(entry["verdict"] == "better" for entry in others)
        rows.append(Row(f"demo, {key}: baselines beaten outside the interval", beaten, len(others), "", _note(results)))
    never = _find(compared, "never in a top")["results"]
    bar = never["MFCC"]["value"]
    rows.append(Row("demo, never in a top 10 (bar: MFCC's)", never[OWN]["value"], bar, "", "", higher_is_better=False))
    return rows + _robustness("demo", evaluated)


def _recordings(compared: Mapping[str, Any], evaluated: Mapping[str, Any], inductive: Mapping[str, Any]) -> list[Row]:
    rows = []
    for key, bar in (("mAP by label", 0.55), ("kNN by label", 0.83), ("linear probe", 0.84)):
        for how, document in (("", compared), (", inductive", inductive)):
            results = _find(document, key)["results"]
            rows.append(Row(f"400 recordings, {key}{how}", results[OWN]["value"], bar, "", _note(results)))
    return rows + _robustness("400 recordings", evaluated)


def _robustness(name: str, evaluated: Mapping[str, Any]) -> list[Row]:
    found = {row["perturbation"]: row for row in evaluated["robustness"]}
    shift, mp3 = (found[perturbation] for perturbation in PERTURBATIONS)
    return [
        Row(f"{name}, 1.2 s shift: cosine", shift["cosine_mean"], 0.99, "", f"lowest {shift['cosine_min']:.3f}"),
        Row(f"{name}, mp3 128 kb/s: finds itself", mp3["self_retrieval"], 0.99, "", f"of {mp3['n']} tracks"),
    ]


def _find(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    return next(metric for metric in document["metrics"] if metric["key"].startswith(key))


def _note(results: Mapping[str, Any]) -> str:
    """The value with its interval and seeds, and the best baseline."""
    own = results[OWN]
    best, entry = max(((n, e) for n, e in results.items() if n != OWN), key=lambda pair: pair[1]["value"])
    seeds = "/".join(f"{value:.3f}" for value in own["seeds"])
    return f"{own['value']:.3f} [{interval_text(own)}], seeds {seeds}; {best} {entry['value']:.3f}"


def _say(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total:
        print(f"   {what} {done}/{total}", file=sys.stderr, flush=True)
