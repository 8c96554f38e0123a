"""Embedding on a GPU, from everything that clips can come from: memory, stored mels, the stage itself, and files.

Conventions
-----------
- All rates are clips per second of wall time, in one process.
- "The stage" is `compute_embeddings` as a run calls it, on published mels: it hashes each part, reads it, pools the
  clips of each track and writes the embeddings.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from audioae.model.autoencoder import ConvAutoencoder
from audioae.model.embedder import Embedder
from tests.bench.harness import Row, installed

CLIPS_PER_TRACK = 8
CORES = len(os.sched_getaffinity(0))


def embedding_rows(model: ConvAutoencoder, codes: np.ndarray, device: torch.device, bar: float | None) -> Iterator[Row]:
    """All rows; `bar` is for those that read stored mels."""
    whole, half = Embedder(model, device.type), Embedder(model, device.type, half=True)
    for name, embedder in {"float32": whole, "bfloat16": half}.items():
        default = embedder.block
        for block in (default, 4 * default):
            embedder.block = block
            rate = len(codes) / seconds(lambda step, embedder=embedder: embedder.embed(codes), 2, device)
            yield Row(f"embedding from memory, {name}, blocks of {block}", rate, None, " clips/s")
        embedder.block = default
    a, b = whole.embed(codes[:4096])[0], half.embed(codes[:4096])[0]
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    yield Row("cosine of bfloat16 and float32 embeddings, the least", float(cosine.min()), 0.99 if bar else None)
    yield Row("cosine of bfloat16 and float32 embeddings, mean", float(cosine.mean()), None)
    if installed("pyarrow"):
        rate = embed_stored(whole, codes)
        yield Row("embedding from stored mels, parts read by threads", rate, bar, " clips/s", "float32")
    if installed("pyarrow", "safetensors"):
        rate = embed_stage(model, len(codes))
        yield Row("the stage embed on stored mels", rate, bar, " clips/s", f"float32, {CORES} workers")
    if installed("pyarrow", "soundfile", "numba", "librosa"):
        rate = embed_decoded(whole, 8 if device.type == "cpu" else 16 * CORES)
        yield Row("embedding from decoding", rate, None, " clips/s", f"WAV of 60 s, {CORES} processes")


def embed_stored(embedder: Embedder, codes: np.ndarray) -> float:
    """Clips per second, read by threads from parts of a store."""
    from audioae.pipeline.clips import mel_codes
    from audioae.store.dataset import Store
    from tests.pipeline.made_mels import mels_table

    with tempfile.TemporaryDirectory() as folder:
        store, names = Store(folder), []
        for start in range(0, len(codes), 8192):
            block = codes[start : start + 8192]
            n = len(block)
            names.append(f"{start:06d}-made")
            ids = np.array([f"{row // CLIPS_PER_TRACK:08d}" for row in range(start, start + n)])
            store.write_part("mels", names[-1], mels_table(ids, np.arange(n) % CLIPS_PER_TRACK, np.zeros(n), block))
        began = time.perf_counter()
        with ThreadPoolExecutor() as pool:
            for table in pool.map(lambda name: store.read_part("mels", name, ["mel"]), names):
                embedder.embed(mel_codes(table))
        return len(codes) / (time.perf_counter() - began)


def embed_stage(model: ConvAutoencoder, n_clips: int) -> float:
    """Clips per second of the stage on shards of at most 1,000 tracks, after a first one that is not timed."""
    from audioae.audio import workers
    from audioae.model.weights import model_to_bytes
    from audioae.pipeline.config import MelsConfig, Workers
    from audioae.pipeline.embed import compute_embeddings
    from audioae.pipeline.mels import commit_mels, compute_mels
    from audioae.store.artifacts import commit_artifact
    from audioae.store.dataset import Store
    from tests.pipeline.big_shard import N_CLIPS, decode, made_tracks

    config, n = MelsConfig(), Workers(CORES)
    with tempfile.TemporaryDirectory() as folder, patch.object(workers, "imap_killable", decode):
        store = Store(folder)
        n_tracks = min(max(n_clips // N_CLIPS, 1), 1000)
        shards = list(range(1 + max(n_clips // N_CLIPS // n_tracks, 1)))
        tracks = made_tracks(store, [n_tracks] * len(shards))
        compute_mels(store, config, tracks, shards, n)
        mels = commit_mels(store, config, tracks, max_reject_rate=0.0)
        files = {"model.safetensors": model_to_bytes(model)}
        ref = commit_artifact(store, "model", files, derived={}, recipe="made", config={}, parents=[mels])
        store = Store(folder)
        compute_embeddings(store, config, tracks, ref, shards[:1], n)
        began = time.perf_counter()
        embedded = compute_embeddings(store, config, tracks, ref, shards[1:], n)
        return embedded * N_CLIPS / (time.perf_counter() - began)


def embed_decoded(embedder: Embedder, n_files: int) -> float:
    """Clips per second, decoded from files by a process for each core, which have started before."""
    import soundfile

    from audioae.audio.config import ClipConfig, DecodeConfig
    from audioae.audio.extract import extract
    from audioae.audio.workers import imap_killable

    with tempfile.TemporaryDirectory() as folder:
        noise = np.random.default_rng(0).normal(0, 0.1, 60 * 22_050).astype(np.float32)
        paths = [str(Path(folder) / f"{i}.wav") for i in range(n_files)]
        for path in paths:
            soundfile.write(path, noise, 22_050)

        def embedded(paths: list[str]) -> int:
            items = ((path, (path, ClipConfig(), DecodeConfig())) for path in paths)
            decoded = imap_killable(extract, items, workers=CORES, timeout_s=60.0)
            return sum(len(embedder.embed(result.codes)[1]) for _, result in decoded)

        embedded(paths[: 2 * CORES])
        began = time.perf_counter()
        return embedded(paths) / (time.perf_counter() - began)


def seconds(run: Callable[[int], Any], n: int, device: torch.device) -> float:
    """Mean seconds of `run(step)` over `n` steps, after two that are not timed."""
    for step in range(2):
        run(step)
    _wait(device)
    began = time.perf_counter()
    for step in range(2, 2 + n):
        run(step)
    _wait(device)
    return (time.perf_counter() - began) / n


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
