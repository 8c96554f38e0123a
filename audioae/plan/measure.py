"""Measure what a track costs: the real stages, on a sample of the user's files, in a store that is deleted afterwards.

Conventions
-----------
- Each figure is of a second run: the first one compiles, imports and starts workers.
- Decoding runs in `run.workers` processes, as in a run: what they cost each other is in the figure.

Why the real stages: a plan that times a loop of its own would forget what they do besides.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audioae.errors import ConfigError
from audioae.pipeline.shards import shard_numbers
from audioae.plan.calls import count_calls, n_requests
from audioae.plan.matrices import codes_seconds, gflops
from audioae.plan.rates import Rates
from audioae.plan.sample import Subject, sample_config
from audioae.progress import Progress
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

SECONDS = 60.0
DECODE, TRAIN = 0.45, 0.2  # shares of the time for decoding and training
WARM, TRIAL = 8, 16  # files
FEW_STEPS, MORE_STEPS = 2, 6


@dataclass
class Trial:
    """A small store, and what its stages took in seconds and requests."""

    store: Store
    config: PipelineConfig
    seconds: dict[str, float]
    requests: dict[str, float]

    def timed(self, stage: str, run: Callable[[], Any]) -> Any:
        """Call `run` and note its time and its requests."""
        calls = count_calls(self.store.storage)
        start = time.perf_counter()
        result = run()
        self.seconds[stage] = time.perf_counter() - start
        self.requests[stage] = n_requests(calls)
        return result


def measure(subject: Subject, seconds: float = SECONDS, progress: Progress | None = None) -> Rates:
    """Measure on a sample that takes about `seconds`.

    Raises
    ------
    ConfigError
        If none of the sampled files can be used.
    """
    report = progress or (lambda *_: None)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="audioae-plan-") as folder:
        report("warming up", 0, 1)
        _decoded(subject, subject.paths[:WARM], Path(folder) / "warm")
        report("warming up", 1, 1)
        trial, _, _ = _decoded(subject, subject.paths[:TRIAL], Path(folder) / "trial")
        per_track = trial.seconds["mels"] / min(TRIAL, len(subject.paths))
        size = min(max(int(DECODE * seconds / per_track), TRIAL), len(subject.paths))
        first_s = trial.seconds["catalog"]
        report("decoding a sample", 0, size)
        trial, tracks, mels = _decoded(
            subject,
            subject.paths[:size],
            Path(folder) / "sample",
            lambda done, total: report("decoding a sample", done, total),
        )
        step_s, model = _trained(trial, mels, TRAIN * seconds, report)
        encode_s = _embedded(trial, tracks, model, report)
        report("multiplying matrices", 0, 1)
        catalog_s = per_file(first_s, TRIAL, trial.seconds["catalog"], size)
        rates = _rates(trial, tracks, mels, model, catalog_s, step_s, encode_s, start)
        report("multiplying matrices", 1, 1)
    return rates


def per_file(first_s: float, n_first: int, seconds: float, n: int) -> float:
    """Seconds per file beyond what a scan of any size takes, from the scans of `n_first` and of `n` files.

    >>> per_file(1.16, 16, 2.0, 100), per_file(1.0, 16, 0.5, 16)
    (0.01, 0.03125)
    """
    return (seconds - first_s) / (n - n_first) if n > n_first and seconds > first_s else seconds / n


def _decoded(
    subject: Subject, paths: list[str], folder: Path, advance: Callable[[int, int], None] | None = None
) -> tuple[Trial, DatasetRef, DatasetRef]:
    """Catalog and mels of some files, in a store of their own."""
    from audioae.pipeline.mels import commit_mels, compute_mels
    from audioae.pipeline.network import publish_network
    from audioae.pipeline.tracks import update_tracks

    folder.mkdir()
    manifest = folder / "sample.jsonl"
    manifest.write_bytes(b"".join(json.dumps({"path": path}).encode() + b"\n" for path in paths))
    config = sample_config(subject.config, manifest)
    trial = Trial(Store(str(folder / "store")), config, {}, {})
    store, workers = trial.store, config.run.local_workers
    settings = config.mels.model_copy(update={"max_stored_tracks": None})
    tracks = trial.timed("catalog", lambda: update_tracks(store, config.catalog))
    shards = shard_numbers(store, tracks)
    network = publish_network(store, config.embedding.extra)
    trial.timed("mels", lambda: compute_mels(store, settings, tracks, shards, workers, advance, network=network))
    if not sum(store.read_part("mels", name, ["clip"]).num_rows for name in store.part_fingerprints("mels")):
        raise ConfigError(
            f"{subject.origin}: none of {len(paths)} sampled files can be used; `audioae run catalog` and "
            "`audioae run mels` say why"
        )
    return trial, tracks, commit_mels(store, settings, tracks, max_reject_rate=1.0)


def _trained(trial: Trial, mels: DatasetRef, budget: float, report: Progress) -> tuple[float, DatasetRef]:
    """Seconds per training step, and a model: two trainings, which differ by a few steps."""
    from audioae.pipeline.train import train_model

    def train(steps: int) -> tuple[float, DatasetRef]:
        config = trial.config.train.model_copy(update={"steps": steps, "warmup": 0})
        start = time.perf_counter()
        model = train_model(trial.store, trial.config.model, config, mels)
        return time.perf_counter() - start, model

    report("training", 0, 2)
    first_s, model = train(FEW_STEPS)
    report("training", 1, 2)
    if trial.config.model.kind == "pca":
        return 0.0, model
    more = FEW_STEPS + max(MORE_STEPS, int(budget / max(first_s, 0.1)))
    seconds, model = train(more)
    report("training", 2, 2)
    return max(seconds - first_s, 0.0) / (more - FEW_STEPS), model


def _embedded(trial: Trial, tracks: DatasetRef, model: DatasetRef, report: Progress) -> float:
    """Seconds per clip from a stored mel to its embedding; of one core if the device is a cpu."""
    from audioae.pipeline.embed import commit_embeddings, compute_embeddings, load_embedder

    store, config = trial.store, trial.config
    settings = config.mels.model_copy(update={"max_stored_tracks": None})
    shards = shard_numbers(store, tracks)
    report("embedding", 0, 1)
    device = load_embedder(store, model).device
    wall, cpu = time.perf_counter(), time.process_time()
    trial.timed("embed", lambda: compute_embeddings(store, settings, tracks, model, shards, config.run.local_workers))
    seconds = time.process_time() - cpu if device.type == "cpu" else time.perf_counter() - wall
    report("embedding", 1, 1)
    commit_embeddings(store, settings, tracks, model, max_reject_rate=1.0)
    return seconds / store.manifest(store.require("mels")).rows


def _rates(
    trial: Trial,
    tracks: DatasetRef,
    mels: DatasetRef,
    model: DatasetRef,
    catalog_s: float,
    step_s: float,
    encode_s: float,
    start: float,
) -> Rates:
    from audioae.pipeline.embed import load_embedder

    store = trial.store
    rows = {name: store.manifest(store.require(name)) for name in ("tracks", "mels", "health", "rejects", "embeddings")}
    catalog = store.read(tracks, ["size_bytes", "duration_s"])
    lengths = catalog["duration_s"].drop_null().to_numpy()
    n_tracks = rows["health"].rows + rows["rejects"].rows
    workers = trial.config.run.n_workers
    return Rates(
        n_tracks=n_tracks,
        n_clips=rows["mels"].rows,
        n_rejected=rows["rejects"].rows,
        workers=workers,
        cores=len(os.sched_getaffinity(0)),
        device=load_embedder(store, model).device_name,
        source_bytes=float(catalog["size_bytes"].drop_null().to_numpy().mean()),
        source_s=float(lengths.mean()) if len(lengths) else 0.0,
        catalog_s=catalog_s,
        decode_s=trial.seconds["mels"] * workers / n_tracks,
        encode_s=encode_s,
        step_s=step_s,
        clips_per_track=rows["mels"].rows / n_tracks,
        model_bytes=sum(part.bytes for part in store.manifest(model).parts if not part.derived),
        gflops=gflops(),
        pq_s=codes_seconds(),
        stored={name: sum(part.bytes for part in one.parts) / max(one.rows, 1) for name, one in rows.items()},
        requests_per_shard={stage: float(n) for stage, n in trial.requests.items()},
        seconds=time.perf_counter() - start,
    )
