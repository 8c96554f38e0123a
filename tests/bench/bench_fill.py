"""How a sound below half a second fills a clip: with silence, end to end, or once a second; judged by retrieval.

    python -m tests.bench.sounds FOLDER
    AUDIOAE_SOUNDS=FOLDER AUDIOAE_STORE=STORE python -m tests.bench fill

Notes and hits of 50 instruments, and 24 speakers' digits, are cut to .05 to .5 s after their beginning, and embedded by
the model of a store. Without AUDIOAE_STORE, models are trained on these sounds alone, filled in the same way (100
steps). Nothing is measured without the folder.
"""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audioae.audio.clips import fill_clip
from audioae.audio.mel import encode_mel, log_mel
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.retrieval import measure as retrieval
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.embedder import Embedder
from audioae.model.train_config import TrainConfig
from audioae.model.training import fit
from audioae.pipeline.embed import load_embedder
from audioae.store.dataset import Store
from tests.bench.harness import Row

SETS = {"single sounds": "oneshot/oneshot.csv", "digits": "speech/digits.csv"}
LENGTHS_S, FADE = (0.05, 0.5), 110
STEPS, BATCH = 100, 64
Fill = Callable[[np.ndarray], np.ndarray]
FILLS: dict[str, Fill] = {
    "silence": lambda sound: np.pad(sound, (0, CLIP_SAMPLES - len(sound))),
    "end to end": lambda sound: np.resize(sound, CLIP_SAMPLES),
    "once a second": fill_clip,
}


def measure() -> list[Row]:
    folder = os.environ.get("AUDIOAE_SOUNDS")
    if not folder:
        print("AUDIOAE_SOUNDS is not set; it names the folder of `python -m tests.bench.sounds`")
        return []
    sets = {name: _sounds(Path(folder) / path) for name, path in SETS.items()}
    root = os.environ.get("AUDIOAE_STORE")
    rows = []
    for fill_name, fill in FILLS.items():
        codes = {name: _codes(sounds, fill) for name, (sounds, _) in sets.items()}
        embedder = _stored(Store(root)) if root else _trained(np.concatenate(list(codes.values())))
        for name, (_, labels) in sets.items():
            found = _retrieval(embedder.embed(codes[name])[0], labels)
            where = f"{name}, {fill_name}, {'model of other music' if root else 'trained on them'}"
            rows += [Row(f"{metric}: {where}", value, None, "") for metric, value in found.items()]
    return rows


def _sounds(manifest: Path) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    with open(manifest, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [_cut(manifest.parent / row["path"], rng) for row in rows], np.array([row["label"] for row in rows])


def _cut(path: Path, rng: np.random.Generator) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    waveform = soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE, quality="HQ")
    begin = max(int(np.argmax(np.abs(waveform) > 0.02 * np.abs(waveform).max())) - FADE, 0)
    sound = waveform[begin : begin + int(rng.uniform(*LENGTHS_S) * SAMPLE_RATE)].copy()
    sound[-FADE:] *= np.linspace(1, 0, FADE, dtype=np.float32)
    return sound


def _codes(sounds: list[np.ndarray], fill: Fill) -> np.ndarray:
    return np.concatenate([encode_mel(log_mel(fill(sound)[None]))[0] for sound in sounds])


def _stored(store: Store) -> Embedder:
    return load_embedder(store, store.require("model"), "cpu", threads=1)


def _trained(codes: np.ndarray) -> Embedder:
    clips = ClipSet(codes, np.zeros(len(codes), np.float32), np.arange(len(codes)))
    config = TrainConfig(steps=STEPS, batch_size=BATCH, threads=1, accelerator="cpu")
    return Embedder(fit(ModelConfig(), config, clips).model, "cpu", threads=1)


def _retrieval(embeddings: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    vectors = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    empty = np.full(len(labels), "")
    metadata = TrackMetadata(np.arange(len(labels)).astype(str), labels, artists=empty, albums=empty, folds=empty)
    found = {metric.key: metric.value for metric in retrieval(vectors, metadata).metrics}
    return {name: found[f"{name} by label"] for name in ("mAP", "kNN")}
