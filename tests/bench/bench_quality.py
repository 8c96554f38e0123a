"""Quality of the default model on seven catalogs, two seeds, with the baselines in the same run, against the bars.

It makes its stores below data/quality, saves its trainings there, and resumes after an interruption: 21 trainings of
`STEPS` steps, 3 to 6 minutes each on one idle core. A catalog is left out, with a line that says so, where what makes
it is missing: the real recordings (`tests/recordings.py`), the programs of `tests/bench/sounds.py`, or the files of
`tests/bench/recorded_sounds.py`. The cited part of the documents is written to results/quality-<catalog>.json.

Conventions
-----------
- "Level or better": baselines that are not better than the embeddings outside the interval of the difference.
- The bars of the demo are what the default of 2026-11-21, with a statistics head, reached there.
"""

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audioae.api import Library
from audioae.config import load_config
from audioae.demo.write import synthesize
from audioae.evaluation.compare_models import compare_models
from audioae.evaluation.run import evaluate_store
from audioae.metrics.document import interval_text
from audioae.model.train_config import TrainConfig
from audioae.pipeline.config import TrainStageConfig, Workers
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from tests import recordings
from tests.bench import documents, recorded_sounds, sounds
from tests.bench.harness import Row
from tests.bench.synthesized_sounds import make_single
from tests.chain import run_chain

ROOT = Path("data/quality")
RESULTS = Path(__file__).parent / "results"
RECORDINGS = recordings.FOLDER / "esc10.csv"
STEPS = 300
WORKERS = Workers(n=2)
OWN = "default"
RETRIEVAL = ("mAP by label", "kNN by label")
CITED = {
    "demo": ("mAP by label, other artists", "kNN by label, other artists", "R2 of", "never in a top 10"),
    "recordings": (*RETRIEVAL, "linear probe"),
}
BEFORE = {"mAP by label, other artists": 0.746, "kNN by label, other artists": 0.909}
PERTURBATIONS = ("shift 1,200 ms", "mp3 128 kb/s")


@dataclass(frozen=True)
class Sounds:
    """A catalog of sounds that are no music: who makes it, its manifest, and the programs or files that this needs."""

    make: Callable[[Path], int]
    manifest: str
    needs: tuple[str | Path, ...] = ()

    @property
    def missing(self) -> str:
        lacks = [str(it) for it in self.needs if not (it.exists() if isinstance(it, Path) else shutil.which(it))]
        return ", ".join(lacks)


SOUNDS = {
    "speakers": Sounds(sounds.make_speech, "speech.csv", ("espeak-ng",)),
    "instruments": Sounds(sounds.make_oneshot, "oneshot.csv", ("fluidsynth",)),
    "single sounds": Sounds(make_single, "single.csv"),
    "recorded voices": Sounds(
        recorded_sounds.make_voices, "voices.csv", (recorded_sounds.LETTERS, recorded_sounds.THINGS)
    ),
    "recorded drums": Sounds(recorded_sounds.make_drums, "drums.csv", (recorded_sounds.KITS,)),
}


def measure() -> list[Row]:
    config = load_config(PipelineConfig, "configs/demo.yaml", _overrides("demo", f"catalog.source={ROOT}/demo-catalog"))
    assert config.synth is not None
    synthesize(Path(config.catalog.source), config.synth)
    rows = _demo(*_measured("demo", config, truth=f"{config.catalog.source}/truth.csv"))
    if RECORDINGS.exists():
        overrides = _overrides("recordings", f"catalog.source={RECORDINGS}", "catalog.columns={split: fold}")
        config = load_config(PipelineConfig, "configs/pipeline.yaml", overrides)
        rows += _recordings(*_measured("recordings", config, inductive=True))
    else:
        print(f"   left out: {recordings.MISSING}")
    for name, catalog in SOUNDS.items():
        if catalog.missing:
            print(f"   left out: {name}, which needs {catalog.missing}; see {catalog.make.__module__}")
            continue
        rows += _single(name, catalog)
    return rows


def _single(name: str, catalog: Sounds) -> list[Row]:
    """Tracks of one clip: retrieval of their labels, against every baseline."""
    slug = name.replace(" ", "-")
    manifest = ROOT / f"{slug}-catalog" / catalog.manifest
    if not manifest.exists():
        catalog.make(manifest.parent)
    overrides = _overrides(slug, f"catalog.source={manifest}", "max_reject_rate=0.5")
    compared, *_ = _measured(slug, load_config(PipelineConfig, "configs/pipeline.yaml", overrides), evaluated=False)
    return [_level(f"{name}, {key}", _find(compared, key)["results"]) for key in RETRIEVAL]


def _level(name: str, results: Mapping[str, Any]) -> Row:
    others = [entry for other, entry in results.items() if other != OWN]
    level = sum(entry["verdict"] in ("better", "none") for entry in others)
    return Row(f"{name}: baselines level or beaten", level, len(others), "", _note(results))


def _overrides(name: str, *settings: str) -> list[str]:
    return [f"store={ROOT}/{name}", f"train.steps={STEPS}", *settings]


def _measured(
    name: str, config: PipelineConfig, *, truth: str | None = None, inductive: bool = False, evaluated: bool = True
):
    """Comparison over two seeds, the evaluation of the published model, and the inductive comparison."""
    run_chain(config if evaluated else config.model_copy(update={"train": _briefly(config.train)}))
    store, folder = Store(config.store), ROOT / f"{name}-trained"
    train = TrainConfig.model_validate(
        {key: value for key, value in config.train.model_dump().items() if key in TrainConfig.model_fields}
    )
    models, say = {OWN: config.model}, _say
    compared = compare_models(store, models, train, truth=truth, folder=folder, workers=WORKERS, progress=say)
    whole = {"compared": compared}
    if evaluated:
        whole["evaluated"] = evaluate_store(Library(store), truth=truth, workers=WORKERS, progress=say).document
    if inductive:
        whole["inductive"] = compare_models(
            store, models, train, seeds=1, inductive=True, folder=folder, workers=WORKERS, progress=say
        )
    kept = {what: documents.cited(document, CITED.get(name, RETRIEVAL)) for what, document in whole.items()}
    documents.write(RESULTS / f"quality-{name}.json", kept)
    return compared, whole.get("evaluated", {}), whole.get("inductive", {})


def _briefly(train: TrainStageConfig) -> TrainStageConfig:
    """For a store of which only the clips are used."""
    return train.model_copy(update={"steps": 20})


def _demo(compared: Mapping[str, Any], evaluated: Mapping[str, Any], _: Mapping[str, Any]) -> list[Row]:
    rows = []
    for key, bar in BEFORE.items():
        results = _find(compared, key)["results"]
        rows += [_value(f"demo, {key}", results, bar), _level(f"demo, {key}", results)]
    for key in ("R2 of tempo", "R2 of energy"):
        rows.append(_level(f"demo, {key}", _find(compared, key)["results"]))
    never = _find(compared, "never in a top")["results"]
    bar = never["MFCC"]["value"]
    rows.append(Row("demo, never in a top 10 (bar: MFCC's)", never[OWN]["value"], bar, "", "", higher_is_better=False))
    return rows + _robustness("demo", evaluated)


def _recordings(compared: Mapping[str, Any], evaluated: Mapping[str, Any], inductive: Mapping[str, Any]) -> list[Row]:
    rows = []
    for key, bar in (("mAP by label", 0.65), ("kNN by label", 0.90), ("linear probe", 0.90)):
        for how, document in (("", compared), (", inductive", inductive)):
            results = _find(document, key)["results"]
            rows.append(_value(f"400 recordings, {key}{how}", results, bar))
        rows.append(_level(f"400 recordings, {key}", _find(compared, key)["results"]))
    return rows + _robustness("400 recordings", evaluated)


def _value(name: str, results: Mapping[str, Any], bar: float) -> Row:
    return Row(name, results[OWN]["value"], bar, "", _note(results))


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
