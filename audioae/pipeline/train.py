"""Stage train: mels become a model.

Conventions
-----------
- The same mels, model and settings are trained only once; after that, the published version is used.
- A catalog that has grown does not need a new model at once: the current one is kept while the catalog has grown by
  less than `retrain_growth` since it was trained. Embeddings of old tracks then stay valid, and only new shards are
  computed. A catalog that has shrunk never needs a new model.
- A killed run resumes from its checkpoint, and on a CPU ends with the same weights as an uninterrupted one.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet, held_out_tracks
from audioae.model.figures import reconstruction_figure, training_figure
from audioae.model.train_config import FEWEST_STEPS, MOST_STEPS, PASSES, n_steps
from audioae.model.training import TrainResult, fit
from audioae.model.weights import model_to_bytes
from audioae.pipeline.clips import mel_codes
from audioae.pipeline.config import TrainStageConfig
from audioae.store.artifacts import CheckpointFile, commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

OnSteps = Callable[[int, int, str], None]
"""Called with the steps that are done, the steps in all, and the logged numbers."""

CODE = 2  # raise it when the same mels and settings would give different weights


def train_model(
    store: Store,
    model: ModelConfig,
    config: TrainStageConfig,
    mels: DatasetRef,
    *,
    log_dir: Path | None = None,
    on_progress: OnSteps | None = None,
    say: Callable[[str], None] | None = None,
) -> DatasetRef:
    """Train on `mels` and publish `model`, or return a version that is still good.

    A version is still good if the same recipe made it, or if the catalog has hardly grown since (see the module).
    `say` gets a sentence on the number of steps before training begins, and one on the time after the first of them.

    Raises
    ------
    StoreError
        If there are no mels to train on.
    ModelError
        If training fails (NaN, a collapsed codebook).
    """
    settings = {"model": model.model_dump(mode="json"), "train": config.model_dump(mode="json")}
    recipe = fingerprint([CODE, settings, str(mels)])
    existing = store.find("model", recipe) or _still_good(store, settings, mels, config.retrain_growth)
    if existing:
        return store.make_current(existing)
    clips, _ = load_clips(store, mels, config.max_clips)
    checkpoints = CheckpointFile(store, recipe)
    logs = log_dir / recipe if log_dir else None
    steps = n_steps(config, len(clips.codes))
    if say and model.kind != "pca":
        say(_plan(config, len(clips.codes)))

    def on_row(row: dict[str, Any]) -> None:
        if on_progress:
            numbers = ", ".join(f"{name} {row[name]:.3g}" for name in ("loss", "perplexity") if name in row)
            on_progress(row["step"], steps, f"{row['split']} {numbers}")

    result = fit(model, config, clips, checkpoints=checkpoints, log_dir=logs, on_progress=on_row, say=say)
    ref = commit_artifact(
        store,
        "model",
        {"model.safetensors": model_to_bytes(result.model)},
        derived=_describe(result),
        recipe=recipe,
        config={**settings, "n_tracks": _n_tracks(store, mels), "mels": store.manifest(mels).config},
        parents=[mels],
    )
    checkpoints.clear()
    return ref


def _plan(config: TrainStageConfig, n_clips: int) -> str:
    """What will be trained, in a sentence.

    >>> _plan(TrainStageConfig(), 4_000)
    'training on 4,000 clips: 438 steps of 128 clips (train.steps: auto, 14 passes, but 300 to 1,400 steps)'
    """
    auto = f" (train.steps: auto, {PASSES} passes, but {FEWEST_STEPS:,} to {MOST_STEPS:,} steps)"
    steps = f"{n_steps(config, n_clips):,} steps of {config.batch_size} clips"
    return f"training on {n_clips:,} clips: {steps}{auto if config.steps == 'auto' else ''}"


def _still_good(store: Store, settings: dict, mels: DatasetRef, retrain_growth: float) -> DatasetRef | None:
    """Return the current model if it has these settings and the catalog has hardly grown since."""
    latest = store.latest("model")
    if latest is None:
        return None
    manifest = store.manifest(latest)
    growth = _n_tracks(store, mels) / max(manifest.config["n_tracks"], 1) - 1
    same_settings = {key: manifest.config[key] for key in settings} == settings
    trained_on = manifest.config.get("mels") or store.manifest(manifest.parent("mels")).config  # older ones: the latter
    same_input = trained_on == store.manifest(mels).config
    return latest if same_settings and same_input and growth < retrain_growth else None


def _n_tracks(store: Store, mels: DatasetRef) -> int:
    return store.manifest(store.manifest(mels).parent("tracks")).rows


def load_clips(store: Store, mels: DatasetRef, max_clips: int) -> tuple[ClipSet, np.ndarray]:
    """Load all clips, or the first whole shards up to `max_clips`, and the track_id of each track number."""
    codes, peaks, track_ids = [], [], []
    n_clips = 0
    for table in store.iter_parts(mels):
        if n_clips and n_clips + table.num_rows > max_clips:
            break
        n_clips += table.num_rows
        codes.append(mel_codes(table))
        peaks.append(table["peak_db"].to_numpy())
        track_ids.append(table["track_id"].to_numpy())
    if not n_clips:
        raise StoreError(f"{mels} holds no clips to train on; `audioae coverage` shows the reasons of rejection")
    names, track = np.unique(np.concatenate(track_ids), return_inverse=True)
    return ClipSet(np.concatenate(codes), np.concatenate(peaks).astype(np.float32), track.astype(np.int64)), names


def held_out_ids(store: Store, model: DatasetRef) -> set[str]:
    """Return the track_ids that were held out from the training of `model`."""
    manifest = store.manifest(model)
    config = manifest.config["train"]
    track_ids, n_clips = [], 0
    for table in store.iter_parts(manifest.parent("mels"), ["track_id"]):
        if n_clips and n_clips + table.num_rows > config["max_clips"]:
            break
        n_clips += table.num_rows
        track_ids.append(table["track_id"].to_numpy())
    names, track = np.unique(np.concatenate(track_ids), return_inverse=True)
    return set(names[held_out_tracks(track, config["held_out"])].tolist())


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
