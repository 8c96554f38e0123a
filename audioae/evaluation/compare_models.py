"""Compare model variants: train each on the same clips with the same budget, and measure the same metrics.

Conventions
-----------
- Nothing is published. The vectors of each training are saved in a folder, named by a hash of their settings, so an
  interrupted comparison resumes where it stopped.
- With several seeds a metric is averaged over the seeds, track by track; the document lists the value of each seed.
- Inductive: one model per fold, trained without the tracks of the fold. Each track is measured with the model that was
  not trained on it.
- Labels are not used for training, early stopping or model selection.
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
from audioae.metrics.document import compare_results
from audioae.metrics.metric import Metric, MetricSet, average
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.embedder import Embedder
from audioae.model.train_config import TrainConfig, n_steps
from audioae.model.training import fit
from audioae.pipeline.config import Workers
from audioae.pipeline.training_clips import load_clips
from audioae.progress import Progress
from audioae.store.dataset import Store

CODE = 1  # increment when the same settings would give different weights
K = 10
MANY_STEPS = 1_000_000  # never reached: the budget in minutes ends the training
UNITS = {"s": 1 / 60, "m": 1.0, "h": 60.0}


@dataclass(frozen=True)
class Run:
    """One training: the model, the seed, and the fold that it leaves out ("" for none)."""

    model: str
    seed: int
    fold: str


def parse_budget(text: str) -> dict[str, Any]:
    """Parse a budget such as "5m", "90s", "1h" or "700steps" into settings of `TrainConfig`.

    >>> parse_budget("700steps"), parse_budget("90s")["max_minutes"]
    ({'steps': 700}, 1.5)
    """
    if match := re.fullmatch(r"(\d+)\s*steps?", text.strip()):
        return {"steps": int(match[1])}
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip()):
        return {"steps": MANY_STEPS, "max_minutes": float(match[1]) * UNITS[match[2]]}
    raise ConfigError(f"budget: got {text!r}, wanted a duration such as 5m, 90s or 1h, or a number such as 700steps")


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
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train every model with every seed, and measure them and the baselines.

    Parameters
    ----------
    store : Store
        Needs published embeddings: they name the tracks to evaluate, and their model names the mels to train on.
    models : mapping of name to ModelConfig
        The first is compared with all others.
    train : TrainConfig
        `seed` is replaced by 0 to `seeds` - 1.
    seeds : int
        Number of trainings per model.
    inductive : bool
        Whether to train a model per fold, without the tracks of the fold.
    truth : str, optional
        A CSV or Parquet file with numbers to predict.
    max_tracks : int
        Evaluate on at most this many tracks.
    folder : Path
        Folder for the vectors of each training.
    workers : Workers, optional
        Decoding processes.
    progress : Progress, optional

    Returns
    -------
    document : dict
        As in `metrics.document`, and "runs": the outcome of each training.

    Raises
    ------
    EvaluationError
        If `inductive` is set and the catalog has no folds.
    ModelError
        If a training fails.
    """
    progress = progress or (lambda what, done, total: None)
    embeddings = store.require("embeddings")
    mels = store.manifest(store.manifest(embeddings).parent("model")).parent("mels")
    clips, names = load_clips(store, mels, max_clips=200_000)
    tracks = vectors_from_store(store, embeddings, max_tracks)
    has_clips = np.isin(tracks.metadata.ids, names.astype(str))
    tracks, omitted = take(tracks, np.flatnonzero(has_clips)), list(tracks.omitted)
    if not has_clips.all():
        omitted.append(f"{(~has_clips).sum()} tracks have no stored clips to train on")
    if truth:
        targets, unmatched = read_truth(truth, tracks)
        tracks, omitted = with_targets(tracks, targets), [*omitted, *unmatched]
    rows = np.searchsorted(names.astype(str), tracks.metadata.ids)  # ascending: both are sorted by track_id
    folds = _folds(tracks) if inductive else [""]

    budget = f"{train.max_minutes:g} min" if train.max_minutes else f"{n_steps(train, len(clips.codes))} steps"
    runs = [Run(name, seed, fold) for name in models for seed in range(seeds) for fold in folds]
    outcomes: list[dict[str, Any]] = []
    by_model: dict[str, list[MetricSet]] = {}
    for name in models:
        for seed in range(seeds):
            pieces = {}
            for fold in folds:
                run = Run(name, seed, fold)
                what = f"{name}, seed {seed}{f', without fold {fold}' if fold else ''}"
                vectors, outcome = _trained_vectors(
                    models[name],
                    train,
                    clips,
                    run,
                    str(mels),
                    tracks,
                    rows,
                    folder,
                    lambda row, what=what, run=run: progress(_step(what, row, budget), runs.index(run), len(runs)),
                )
                outcomes.append({"model": name, "seed": seed, **({"fold": fold} if fold else {}), **outcome})
                pieces[fold] = _measure(vectors, tracks)
            by_model.setdefault(name, []).append(_assemble(pieces, tracks) if inductive else pieces[""])
    library = Generation(store, embeddings=embeddings)
    audio, unreadable = analyze_tracks(library, tracks, workers or Workers(), progress)
    omitted += unreadable
    features = track_features(audio, tracks.metadata.n)
    metric_sets = {name: _average(per_seed) for name, per_seed in by_model.items()}
    evaluated = np.isin(clips.track, rows)
    track = np.searchsorted(rows, clips.track[evaluated])
    baseline_vectors = baselines(clips.codes[evaluated], clips.peak_db[evaluated], track, features=features)
    metric_sets |= {name: _measure(vectors, tracks) for name, vectors in baseline_vectors.items()}
    metrics = compare_results(metric_sets)
    for entry in metrics:
        for name, per_seed in by_model.items():
            values = [metric.value for result in per_seed for metric in result.metrics if metric.key == entry["key"]]
            entry["results"][name]["seeds"] = values
    how = "inductive: trained without the evaluated fold" if inductive else "trained on all tracks, without labels"
    return {
        "title": f"{len(models)} models on {embeddings}, {seeds} seeds, {how}",
        "n_tracks": tracks.metadata.n,
        "k": K,
        "train": train.model_dump(mode="json", exclude={"seed"}),
        "metrics": metrics,
        "omitted": list(dict.fromkeys([*omitted, *next(iter(metric_sets.values())).omitted])),
        "runs": outcomes,
    }


def _trained_vectors(
    model: ModelConfig,
    train: TrainConfig,
    clips: ClipSet,
    run: Run,
    mels: str,
    tracks: TrackVectors,
    rows: np.ndarray,
    folder: Path,
    on_progress: Callable[[dict[str, Any]], None],
) -> tuple[np.ndarray, dict[str, Any]]:
    """Train one model, or read its result from `folder`: track vectors (n, 128), and the outcome of the training."""
    config = train.model_copy(update={"seed": run.seed})
    excluded = rows[tracks.metadata.folds == run.fold] if run.fold else np.empty(0, int)
    recipe = [CODE, model.model_dump(mode="json"), config.model_dump(mode="json"), mels, excluded.tolist()]
    path = folder / f"{fingerprint(recipe)}.npz"
    if not path.exists():
        mask = ~np.isin(clips.track, excluded)
        training = clips if mask.all() else ClipSet(clips.codes[mask], clips.peak_db[mask], clips.track[mask])
        started = time.monotonic()
        result = fit(model, config, training, on_progress=on_progress)
        seconds = time.monotonic() - started
        held_out = [row for row in result.metrics if row["split"] == "held_out"]
        outcome = {
            "steps": result.steps,
            "stopped_because": result.stopped_because,
            "seconds": round(seconds, 1),
            "clips_per_second": round(result.steps * config.batch_size / seconds, 1),
            "held_out": {key: held_out[-1][key] for key in ("mse", "perplexity") if held_out and key in held_out[-1]},
        }
        vectors = _embed_tracks(Embedder(result.model), clips)
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished.npz")
        np.savez(unfinished, vectors=vectors, outcome=np.array(json.dumps(outcome)))
        unfinished.replace(path)
    with np.load(path) as saved:
        return saved["vectors"][rows], json.loads(str(saved["outcome"]))


def _embed_tracks(embedder: Embedder, clips: ClipSet) -> np.ndarray:
    """The vectors (n, 128) of tracks that are numbered from 0 to n - 1."""
    embeddings, _, levels = embedder.embed(clips.codes)
    level_db = levels + clips.peak_db
    order = np.argsort(clips.track, kind="stable")
    ends = np.flatnonzero(np.diff(clips.track[order])) + 1
    return np.stack([embedder.pool(embeddings[rows], level_db[rows])[0] for rows in np.split(order, ends)])


def _measure(vectors: np.ndarray, tracks: TrackVectors) -> MetricSet:
    metadata = tracks.metadata
    unit = check_vectors(vectors, metadata.ids, tracks.name)
    return retrieval.measure(unit, metadata, K) + probes.measure(unit, metadata) + hubness.measure(unit, metadata, K)


def _folds(tracks: TrackVectors) -> list[str]:
    folds = sorted(set(tracks.metadata.folds) - {""})
    if len(folds) < 2 or (tracks.metadata.folds == "").any():
        raise EvaluationError(
            f"inductive: got {len(folds)} folds, wanted at least 2 and one for every track; "
            "map a column of the manifest to `split` in the catalog's config"
        )
    return folds


def _assemble(pieces: Mapping[str, MetricSet], tracks: TrackVectors) -> MetricSet:
    """Take each fold's rows from the model that was trained without the fold. Hubness has no such rows."""
    first = next(iter(pieces.values()))
    metrics = []
    for i, metric in enumerate(first.metrics):
        if "occurrence" in metric.key or "top" in metric.key:
            continue
        columns = np.zeros_like(metric.columns)
        for fold, result in pieces.items():
            mask = tracks.metadata.folds == fold
            columns[mask] = result.metrics[i].columns[mask]
        metrics.append(replace(metric, columns=columns))
    return MetricSet(tuple(metrics), first.omitted)


def _average(per_seed: Sequence[MetricSet]) -> MetricSet:
    by_key: dict[str, list[Metric]] = {}
    for result in per_seed:
        for metric in result.metrics:
            by_key.setdefault(metric.key, []).append(metric)
    return MetricSet(tuple(average(metrics) for metrics in by_key.values()), per_seed[0].omitted)


def _step(what: str, row: Mapping[str, Any], budget: str) -> str:
    return f"{what}: step {row['step']} of {budget}, loss {row['loss']:.3g}"
