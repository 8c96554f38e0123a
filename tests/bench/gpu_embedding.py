"""Embedding on a GPU, from everything that clips can come from: memory, stored mels, the stage itself, and files.

Conventions
-----------
- All rates are clips per second of wall time.
- "The stage" is `compute_embeddings` as a run calls it: it hashes each published part, reads it or decodes the files,
  pools the clips of each track and writes the embeddings.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import torch

from audioae.model.autoencoder import ConvAutoencoder
from audioae.model.embedder import Embedder
from tests.bench.harness import Row, installed

if TYPE_CHECKING:
    from audioae.store.dataset import Store
    from audioae.store.manifest import DatasetRef

CLIPS_PER_TRACK = 8
TRACKS_PER_SHARD = 200
PROCESSES = 4
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
    if installed("pyarrow", "safetensors"):
        n_shards = 1 if device.type == "cpu" else 2 * CORES
        note = f"float32, {n_shards} shards of {TRACKS_PER_SHARD} tracks, {CORES} workers"
        yield Row("the stage embed on stored mels", embed_stored(model, n_shards), None, " clips/s", note)
        rate = embed_stored(model, n_shards, PROCESSES)
        yield Row(f"the stage embed on stored mels, {PROCESSES} shares at once", rate, bar, " clips/s", note)
    if installed("pyarrow", "safetensors", "soundfile", "numba", "librosa", "av"):
        rate = embed_decoded(model, 8 if device.type == "cpu" else 32 * CORES)
        yield Row("the stage embed, decoding", rate, None, " clips/s", f"WAV of 60 s, {CORES} processes")


def embed_stored(model: ConvAutoencoder, n_shards: int, n_processes: int = 1) -> float:
    """Clips per second of the stage from stored mels; with several processes, as `--shards i/n` divides it."""
    from audioae.audio import workers
    from audioae.pipeline.config import MelsConfig, Workers
    from audioae.pipeline.mels import commit_mels, compute_mels
    from audioae.store.dataset import Store
    from tests.pipeline.big_shard import decode, made_tracks

    config = MelsConfig()
    with tempfile.TemporaryDirectory() as folder:
        store, shards = Store(folder), list(range(n_processes + n_shards))
        tracks = made_tracks(store, [TRACKS_PER_SHARD] * len(shards))
        with patch.object(workers, "imap_killable", decode):
            compute_mels(store, config, tracks, shards, Workers(CORES))
        mels = commit_mels(store, config, tracks, max_reject_rate=0.0)
        return embed(store, tracks, mels, model, shards, n_processes)


def embed_decoded(model: ConvAutoencoder, n_files: int) -> float:
    """Clips per second of the stage from files, whose decoders a first shard has started."""
    import pyarrow as pa
    import soundfile

    from audioae.pipeline.shards import part_fingerprint
    from audioae.store.dataset import Store
    from audioae.store.schemas import TRACKS

    with tempfile.TemporaryDirectory() as folder:
        noise = np.random.default_rng(0).normal(0, 0.1, 60 * 22_050).astype(np.float32)
        store, names = Store(f"{folder}/store"), []
        for shard in (0, 1):
            ids = [f"{shard}-{i:06d}" for i in range((CORES, n_files)[shard])]
            for track_id in ids:
                soundfile.write(f"{folder}/{track_id}.wav", noise, 22_050)
            common = {"shard": shard, "added_at": datetime(2026, 1, 2, tzinfo=UTC)}
            rows = [{**common, "track_id": t, "uri": f"{folder}/{t}.wav", "content_hash": t} for t in ids]
            names.append(part_fingerprint(shard, ids))
            store.write_part("tracks", names[-1], pa.Table.from_pylist(rows, TRACKS))
        tracks = store.commit("tracks", names, recipe="made", config={})
        return embed(store, tracks, tracks, model, [0, 1])


def embed(
    store: "Store",
    tracks: "DatasetRef",
    parent: "DatasetRef",
    model: ConvAutoencoder,
    shards: list[int],
    n_processes: int = 1,
) -> float:
    """Publish the model, and give clips per second of the stage; each process has a first shard that is not timed."""
    from audioae.model.weights import model_to_bytes
    from audioae.pipeline.shards import shard_of
    from audioae.store.artifacts import commit_artifact

    files = {"model.safetensors": model_to_bytes(model)}
    ref = commit_artifact(store, "model", files, derived={}, recipe="made", config={}, parents=[parent])
    timed = shards[n_processes:]
    processes = []
    for i in range(n_processes):
        numbers = [str(shard) for shard in [shards[i], *timed[i::n_processes]]]
        command = [sys.executable, "-m", "tests.bench.gpu_embedding", store.root, str(tracks), str(ref)]
        command += [str(-(-CORES // n_processes)), *numbers]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    pipes = [(process.stdin, process.stdout) for process in processes if process.stdin and process.stdout]
    for _, output in pipes:
        output.readline()
    began = time.perf_counter()
    for start, _ in pipes:
        start.write("start\n")
        start.flush()
    if any(process.wait() for process in processes):
        raise RuntimeError("a process of the stage embed failed")
    elapsed = max(float(output.readline()) for _, output in pipes) - began
    names = [name for name in store.part_fingerprints("embeddings") if shard_of(name) in set(timed)]
    return sum(sum(store.read_part("embeddings", name, ["n_clips"])["n_clips"].to_pylist()) for name in names) / elapsed


def main(root: str, tracks: str, model: str, workers: str, *shards: str) -> None:
    """Embed the first shard, say that, wait for a line, embed the others, and say when that was done."""
    from audioae.pipeline.config import MelsConfig, Workers
    from audioae.pipeline.embed import compute_embeddings
    from audioae.store.dataset import Store
    from audioae.store.manifest import DatasetRef

    refs = DatasetRef.parse(tracks), DatasetRef.parse(model)
    numbers, n = [int(shard) for shard in shards], Workers(int(workers))
    compute_embeddings(Store(root), MelsConfig(), *refs, numbers[:1], n)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    compute_embeddings(Store(root), MelsConfig(), *refs, numbers[1:], n)
    sys.stdout.write(f"{time.perf_counter()}\n")


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


if __name__ == "__main__":
    main(*sys.argv[1:])
