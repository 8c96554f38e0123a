"""Compare model variants: each trained on the same clips under the same budget, asked the same questions.

Conventions
-----------
- Nothing is published: the store is read, and what was trained is kept as vectors in a folder of its own, named by
  what made them. A comparison that is interrupted goes on there.
- Several seeds: a metric's value is the mean over the seeds, track by track, and each seed's value stands beside it.
- Inductive: a model per fold, trained without the fold's tracks; a track's say comes from the model that never saw it.
- No label is used in training: not to stop, not to choose.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audioae.config import fingerprint
from audioae.errors import ConfigError, EvaluationError
from audioae.evaluation.audio_features import analyze_tracks, track_features
from audioae.library.generation import Generation
from audioae.library.track_metadata import check_vectors
from audioae.library.track_vectors import TrackVectors, take, vectors_from_store, with_targets
from audioae.library.truth import read_truth
from audioae.metrics import hubness, probes, retrieval
from audioae.metrics.baselines import baselines
from audioae.metrics.document import compare_answers
from audioae.metrics.metric import Metric, MetricSet, average
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.embedder import Embedder, pool_tracks
from audioae.model.train_config import TrainConfig
from audioae.model.training import fit
from audioae.pipeline.config import Workers
from audioae.pipeline.train import load_clips
from audioae.progress import Progress
from audioae.store.dataset import Store

CODE = 1  # raise it when the same settings would train other weights
K = 10
MANY_STEPS = 1_000_000  # of which a budget in minutes ends the run
UNITS = {"s": 1 / 60, "m": 1.0, "h": 60.0}


@dataclass(frozen=True)
class Run:
    """One training: which model, seed and left-out fold ("" for none)."""

    model: str
    seed: int
    fold: str


def parse_budget(text: str) -> dict[str, Any]:
    """Settings of `TrainConfig` for a budget such as "5m", "90s", "1h" or "700steps".

    >>> parse_budget("700steps"), parse_budget("90s")["max_minutes"]
    ({'steps': 700}, 1.5)
    """
    if found := re.fullmatch(r"(\d+)\s*steps?", text.strip()):
        return {"steps": int(found[1])}
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip()):
        return {"steps": MANY_STEPS, "max_minutes": float(found[1]) * UNITS[found[2]]}
    raise ConfigError(f"budget: got {text!r}, wanted a time such as 5m, 90s or 1h, or steps such as 700steps")


def compare_models(
    store: Store,
    models: Mapping[str, ModelConfig],
    train: TrainConfig,
    *,
    seeds: int = 2,
    inductive: bool = False,
    truth: str | None = None,
    max_tracks: int = 2000,
    folder: Path,
    workers: Workers | None = None,
    report: Progress | None = None,
) -> dict[str, Any]:
    """Train every model with every seed, and put all of them and the baselines into one document.

    Parameters
    ----------
    store : Store
        With published embeddings: their tracks are asked about, the mels of their model are trained on.
    models : mapping of name to ModelConfig
        The first is what the others are compared with.
    train : TrainConfig
        `seed` is set here, from 0 to `seeds` - 1.
    folder : Path
        Where trained vectors are kept.

    Returns
    -------
    document : dict
        As `metrics.document` has it; besides "runs": what each training came to.

    Raises
    ------
    EvaluationError
        If folds are asked for that the catalog does not name.
    ModelError
        If a training fails.
    """
    report = report or (lambda what, done, total: None)
    embeddings = store.require("embeddings")
    mels = store.manifest(store.manifest(embeddings).parent("model")).parent("mels")
    clips, names = load_clips(store, mels, max_clips=200_000)
    subject = vectors_from_store(store, embeddings, max_tracks)
    there = np.isin(subject.metadata.ids, names.astype(str))
    subject, omitted = take(subject, np.flatnonzero(there)), list(subject.omitted)
    if not there.all():
        omitted.append(f"{(~there).sum()} tracks have no stored clips to train on")
    if truth:
        targets, left_out = read_truth(truth, subject)
        subject, omitted = with_targets(subject, targets), [*omitted, *left_out]
    rows = np.searchsorted(names.astype(str), subject.metadata.ids)  # ascending: both are sorted by track_id
    folds = _folds(subject) if inductive else [""]

    runs = [Run(name, seed, fold) for name in models for seed in range(seeds) for fold in folds]
    reports: list[dict[str, Any]] = []
    per_model: dict[str, list[MetricSet]] = {}
    for name in models:
        for seed in range(seeds):
            pieces = {}
            for fold in folds:
                run = Run(name, seed, fold)
                what = f"{name}, seed {seed}{f', without fold {fold}' if fold else ''}"
                kept, outcome = _vectors(
                    models[name],
                    train,
                    clips,
                    run,
                    str(mels),
                    subject,
                    rows,
                    folder,
                    lambda row, what=what, run=run: report(_progress(what, row, train), runs.index(run), len(runs)),
                )
                reports.append({"model": name, "seed": seed, **({"fold": fold} if fold else {}), **outcome})
                pieces[fold] = _ask(kept, subject)
            per_model.setdefault(name, []).append(_assemble(pieces, subject) if inductive else pieces[""])
    library = Generation(store, embeddings=embeddings)
    described, left_out = analyze_tracks(library, subject, workers or Workers(), report)
    omitted += left_out
    features = track_features(described, subject.metadata.n)
    answers = {name: _average(found) for name, found in per_model.items()}
    own = np.isin(clips.track, rows)
    of_row = np.searchsorted(rows, clips.track[own])
    for name, vectors in baselines(clips.codes[own], clips.peak_db[own], of_row, features=features).items():
        answers[name] = _ask(vectors, subject)
    metrics = compare_answers(answers)
    for entry in metrics:
        for name, found in per_model.items():
            values = [metric.value for answer in found for metric in answer.metrics if metric.key == entry["key"]]
            entry["subjects"][name]["seeds"] = values
    how = "inductive: trained without the fold asked about" if inductive else "trained on all tracks, without labels"
    return {
        "subject": f"{len(models)} models on {embeddings}, {seeds} seeds, {how}",
        "n_tracks": subject.metadata.n,
        "k": K,
        "train": train.model_dump(mode="json", exclude={"seed"}),
        "metrics": metrics,
        "omitted": list(dict.fromkeys([*omitted, *next(iter(answers.values())).omitted])),
        "runs": reports,
    }


def _vectors(
    model: ModelConfig,
    train: TrainConfig,
    clips: ClipSet,
    run: Run,
    mels: str,
    subject: TrackVectors,
    rows: np.ndarray,
    folder: Path,
    on_progress: Callable[[dict[str, Any]], None],
) -> tuple[np.ndarray, dict[str, Any]]:
    """Track vectors (n, 128) by one training, and what it came to; from `folder` where they are."""
    config = train.model_copy(update={"seed": run.seed})
    left_out = rows[subject.metadata.folds == run.fold] if run.fold else np.empty(0, int)
    recipe = [CODE, model.model_dump(mode="json"), config.model_dump(mode="json"), mels, left_out.tolist()]
    path = folder / f"{fingerprint(recipe)}.npz"
    if not path.exists():
        kept = ~np.isin(clips.track, left_out)
        seen = clips if kept.all() else ClipSet(clips.codes[kept], clips.peak_db[kept], clips.track[kept])
        started = time.monotonic()
        result = fit(model, config, seen, on_progress=on_progress)
        seconds = time.monotonic() - started
        held_out = [row for row in result.metrics if row["split"] == "held_out"]
        outcome = {
            "steps": result.steps,
            "stopped_because": result.stopped_because,
            "seconds": round(seconds, 1),
            "clips_per_second": round(result.steps * config.batch_size / seconds, 1),
            "held_out": {key: held_out[-1][key] for key in ("mse", "perplexity") if held_out and key in held_out[-1]},
        }
        vectors = pool_tracks(Embedder(result.model).embed(clips.codes)[0], clips.track)[0]
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished.npz")
        np.savez(unfinished, vectors=vectors, outcome=np.array(json.dumps(outcome)))
        unfinished.replace(path)
    with np.load(path) as kept_file:
        return kept_file["vectors"][rows], json.loads(str(kept_file["outcome"]))


def _ask(vectors: np.ndarray, subject: TrackVectors) -> MetricSet:
    own = check_vectors(vectors, subject.metadata.ids, subject.name)
    metadata = subject.metadata
    return retrieval.measure(own, metadata, K) + probes.measure(own, metadata) + hubness.measure(own, metadata, K)


def _folds(subject: TrackVectors) -> list[str]:
    folds = sorted(set(subject.metadata.folds) - {""})
    if len(folds) < 2 or (subject.metadata.folds == "").any():
        raise EvaluationError(
            f"inductive: got {len(folds)} folds, wanted one for every track and at least 2; "
            "map a column of the manifest to `split` in the catalog's config"
        )
    return folds


def _assemble(pieces: Mapping[str, MetricSet], subject: TrackVectors) -> MetricSet:
    """Each fold's rows of each metric from the model that was trained without the fold; hubness has no such rows."""
    first = next(iter(pieces.values()))
    metrics = []
    for i, metric in enumerate(first.metrics):
        if "occurrence" in metric.key or "top" in metric.key:
            continue
        columns = np.zeros_like(metric.columns)
        for fold, answer in pieces.items():
            own = subject.metadata.folds == fold
            columns[own] = answer.metrics[i].columns[own]
        metrics.append(replace(metric, columns=columns))
    return MetricSet(tuple(metrics), first.omitted)


def _average(answers: Sequence[MetricSet]) -> MetricSet:
    by_key: dict[str, list[Metric]] = {}
    for answer in answers:
        for metric in answer.metrics:
            by_key.setdefault(metric.key, []).append(metric)
    return MetricSet(tuple(average(found) for found in by_key.values()), answers[0].omitted)


def _progress(what: str, row: Mapping[str, Any], train: TrainConfig) -> str:
    of = f"{train.max_minutes:g} min" if train.max_minutes else f"{train.steps} steps"
    return f"{what}: step {row['step']} of {of}, loss {row['loss']:.3g}"
