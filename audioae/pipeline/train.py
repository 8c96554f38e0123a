"""Stage train: mels become a model.

Conventions
-----------
- The same mels, model and settings are trained only once; after that, the published version is used.
- A catalog that has grown does not need a new model at once: the current one is kept while the catalog has grown by
  less than `retrain_growth` since it was trained (`train.retrain` has other rules). Embeddings of old tracks then stay
  valid, and only new shards are computed. A catalog that has shrunk never needs a new model.
- A killed run resumes from its checkpoint, and on a CPU ends with the same weights as an uninterrupted one.
- On several nodes, node 0 publishes; the others wait until it has.
"""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet, ClipStream
from audioae.model.devices import node_rank
from audioae.model.extra_config import ExtraConfig
from audioae.model.figures import reconstruction_figure, training_figure
from audioae.model.train_config import FEWEST_STEPS, MOST_STEPS, PASSES, n_steps
from audioae.model.training import TrainResult, fit
from audioae.model.weights import model_to_bytes
from audioae.pipeline.clip_stream import MelWindows
from audioae.pipeline.config import TrainStageConfig
from audioae.pipeline.drift import last_drift
from audioae.pipeline.extra import add_extra, trained_model
from audioae.pipeline.extraction import same_clips
from audioae.pipeline.training_clips import Kind, kind_of_clips, load_clips
from audioae.store.artifacts import CheckpointFile, commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

OnSteps = Callable[[int, int, str], None]
"""Called with the steps that are done, the steps in all, and the logged numbers."""

PUBLISHED_WITHIN_S = 600.0
CODE = 2  # raise it when the same mels and settings would give different weights


def train_model(
    store: Store,
    model: ModelConfig,
    config: TrainStageConfig,
    mels: DatasetRef,
    *,
    extra: ExtraConfig | None = None,
    log_dir: Path | None = None,
    on_progress: OnSteps | None = None,
    say: Callable[[str], None] | None = None,
) -> DatasetRef:
    """Train on `mels` and publish `model`, or return a version that is still good; add the network `extra` to it.

    A version is still good if the same recipe made it, or if the catalog has hardly grown since (see the module).
    `say` gets a sentence on the number of steps before training begins, and one on the time after the first of them.

    Raises
    ------
    StoreError
        If there are no mels to train on.
    ModelError
        If training fails (NaN, a collapsed codebook), or `extra` is no network as wanted.
    """
    ref = _train(store, model, config, mels, log_dir, on_progress, say)
    return add_extra(store, ref, extra, mels) if extra else ref


def _train(
    store: Store,
    model: ModelConfig,
    config: TrainStageConfig,
    mels: DatasetRef,
    log_dir: Path | None,
    on_progress: OnSteps | None,
    say: Callable[[str], None] | None,
) -> DatasetRef:
    settings = {"model": model.model_dump(mode="json"), "train": config.model_dump(mode="json")}
    kind = kind_of_clips(store, mels, config.max_clips)
    how = {} if kind == "all" else {"clips": kind}  # older models and their checkpoints do not say how
    recipe = fingerprint([CODE, settings, str(mels), *how.values()])
    existing = store.find("model", recipe) or _still_good(store, settings, mels, config)
    if existing:
        return store.make_current(existing)
    clips = _open_clips(store, mels, config, kind)
    checkpoints = CheckpointFile(store, recipe)
    logs = log_dir / recipe if log_dir else None
    steps = n_steps(config, clips.n_clips)
    if say and model.kind != "pca":
        say(_plan(config, clips.n_clips, kind))

    def on_row(row: dict[str, Any]) -> None:
        if on_progress:
            numbers = ", ".join(f"{name} {row[name]:.3g}" for name in ("loss", "perplexity") if name in row)
            on_progress(row["step"], steps, f"{row['split']} {numbers}")

    result = fit(model, config, clips, checkpoints=checkpoints, log_dir=logs, on_progress=on_row, say=say)
    if node_rank() > 0:
        return _wait_for(store, recipe)
    ref = commit_artifact(
        store,
        "model",
        {"model.safetensors": model_to_bytes(result.model)},
        derived=_describe(result),
        recipe=recipe,
        config={**settings, **how, "n_tracks": _n_tracks(store, mels), "mels": store.manifest(mels).config},
        parents=[mels],
    )
    checkpoints.clear()
    return ref


def _open_clips(store: Store, mels: DatasetRef, config: TrainStageConfig, kind: Kind) -> ClipSet | ClipStream:
    if kind == "stream":
        return MelWindows(store.root, mels, config.seed, config.n_processes).stream()
    assert config.max_clips is not None
    return load_clips(store, mels, config.max_clips)[0]


def _wait_for(store: Store, recipe: str) -> DatasetRef:
    """The model that node 0 publishes."""
    until = time.monotonic() + PUBLISHED_WITHIN_S
    while time.monotonic() < until:
        if ref := store.find("model", recipe):
            return ref
        time.sleep(1)
    raise StoreError(
        f"{store.root}: node 0 has published no model within {PUBLISHED_WITHIN_S} s after the training; see its log, "
        "and check that all nodes use one store"
    )


def _plan(config: TrainStageConfig, n_clips: int, kind: Kind = "all") -> str:
    """What will be trained, in a sentence.

    >>> _plan(TrainStageConfig(), 4_000)
    'training on 4,000 clips: 438 steps of 128 clips (train.steps: auto, 14 passes, but 300 to 1,400 steps)'
    """
    on = {"all": "", "sample": " (a sample of the tracks: train.max_clips)", "stream": " (streamed from the store)"}
    auto = f" (train.steps: auto, {PASSES} passes, but {FEWEST_STEPS:,} to {MOST_STEPS:,} steps)"
    steps = f"{n_steps(config, n_clips):,} steps of {config.batch_size} clips"
    return f"training on {n_clips:,} clips{on[kind]}: {steps}{auto if config.steps == 'auto' else ''}"


def _still_good(store: Store, settings: dict, mels: DatasetRef, config: TrainStageConfig) -> DatasetRef | None:
    """Return the current model if it has these settings and no rule of `config` wants a new one."""
    latest = store.latest("model")
    if latest is None:
        return None
    manifest = store.manifest(latest)
    trained_on = manifest.config.get("mels") or store.manifest(manifest.parent("mels")).config  # older ones: the latter
    if not _same_settings(manifest.config, settings) or not same_clips(trained_on, store.manifest(mels).config):
        return None
    growth = _n_tracks(store, mels) / max(manifest.config["n_tracks"], 1) - 1
    drift = last_drift(store, latest) if config.retrain == "drift" else None
    wanted = config.retrain != "never" and (growth >= config.retrain_growth or (drift is not None and drift.retrain))
    return None if wanted else trained_model(store, latest)


def _same_settings(trained: dict, settings: dict) -> bool:
    """Whether a model was trained with these settings; when to train again is none of them."""

    def of_training(config: dict) -> dict:
        train = {name: value for name, value in config["train"].items() if not name.startswith("retrain")}
        return {"model": config["model"], "train": train}

    return of_training(trained) == of_training(settings)


def _n_tracks(store: Store, mels: DatasetRef) -> int:
    return store.manifest(store.manifest(mels).parent("tracks")).rows


def _describe(result: TrainResult) -> dict[str, bytes]:
    """Metrics, plots and a summary: they belong to the model, but its version does not depend on them."""
    table = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(result.metrics), table)
    summary = {"steps": result.steps, "stopped_because": result.stopped_because, "last": result.metrics[-1:]}
    return {
        "metrics.parquet": table.getvalue(),
        "summary.json": json.dumps(summary, indent=1).encode(),
        "training.png": training_figure(result.metrics),
        "reconstructions.png": reconstruction_figure(result.originals, result.reconstructions),
    }
