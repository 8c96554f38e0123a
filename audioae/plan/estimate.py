"""From the rates of a sample to the time, disk, memory, requests and price of every stage for n tracks.

Conventions
-----------
- Work is linear in tracks and clips, and workers do not slow each other down beyond what the sample shows: both are
  extrapolations, and the plan says so.
- Without a GPU, decoding and the model share the workers. With GPUs, they overlap, and the longer one counts.
- A stage's memory is that of its largest process, without the index file, which is mapped.
"""

from dataclasses import dataclass

from audioae.model.train_config import n_steps
from audioae.pipeline.shards import shard_size
from audioae.plan.index_estimate import IndexEstimate, estimate_index
from audioae.plan.known import MEMORY, SECONDS
from audioae.plan.rates import Rates
from audioae.plan.resources import ASSUMED_CLIPS_PER_S, TRAINING, Resources
from audioae.settings import PipelineConfig

TASK_BYTES = 25_000  # of the Prefect server's database per task run: measured 17 to 25 KB
FLOW_RUNS = 8  # of a pipeline run and its stages
GROUPED = ("mels", "embed")  # stages that run as one task per group of shards


@dataclass(frozen=True)
class StageEstimate:
    """What one stage takes.

    Attributes
    ----------
    stage : str
    tracks : int
        That it works on.
    seconds : float
        Until it is done.
    worker_s, gpu_s : float
        Seconds of all workers and of all GPUs that it uses.
    disk, memory : float
        Bytes that it adds to the store, and of its largest process.
    requests : float
        To the store.
    cost : float or None
    basis : str
        What the figures rest on.
    """

    stage: str
    tracks: int
    seconds: float
    worker_s: float
    gpu_s: float
    disk: float
    memory: float
    requests: float
    cost: float | None
    basis: str


@dataclass(frozen=True)
class Plan:
    """Everything that is known about a run on `n` tracks before it is begun."""

    n: int
    resources: Resources
    rates: Rates
    stages: tuple[StageEstimate, ...]
    index: IndexEstimate
    shards: int
    task_runs: int

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    @property
    def disk(self) -> float:
        return sum(stage.disk for stage in self.stages)

    @property
    def cost(self) -> float | None:
        costs = [stage.cost for stage in self.stages]
        return None if any(cost is None for cost in costs) else sum(cost or 0.0 for cost in costs)

    @property
    def database(self) -> float:
        """Bytes that the run leaves in the database of the Prefect server."""
        return TASK_BYTES * (self.task_runs + FLOW_RUNS)

    @property
    def source(self) -> float:
        """Bytes of the audio files."""
        return self.n * self.rates.source_bytes


def make_plan(n: int, config: PipelineConfig, rates: Rates, resources: Resources) -> Plan:
    """The plan of a first run on `n` tracks like those of the sample."""
    limits = {"shard_tracks": config.catalog.shard_tracks, "min_shards": config.catalog.min_shards}
    shards = -(-n // shard_size(n, n_tracks=n, **limits))
    index = estimate_index(n, config.index, rates)
    stored = min(n, config.mels.max_stored_tracks or n)
    groups = min(shards, config.run.max_tasks)
    stages = [
        _catalog(n, shards, rates, resources),
        _mels(stored, n, shards, rates, resources),
        _train(stored, config, rates, resources),
        _embed(n, stored, shards, rates, resources),
        _stage("index", n, rates, resources, index.build_s, index.bytes, index.build_bytes, 4, _COUNTED),
    ]
    known = {"map": config.map, "screen": config.screen}
    stages += [_known(name, n, shards, rates, resources) for name, section in known.items() if section]
    return Plan(n, resources, rates, tuple(stages), index, shards, len(GROUPED) * groups)


_MEASURED = "measured on {} tracks, times the tracks"
_COUNTED = "operations counted, speed of this machine measured"


def _stage(
    stage: str,
    n: int,
    rates: Rates,
    resources: Resources,
    seconds: float,
    disk: float,
    memory: float,
    requests: float,
    basis: str,
    *,
    worker_s: float | None = None,
    gpu_s: float = 0.0,
) -> StageEstimate:
    """A stage; one that runs on one machine uses all of its cores."""
    worker_s = seconds * rates.cores if worker_s is None else worker_s
    cost = resources.cost(worker_s, gpu_s)
    return StageEstimate(stage, n, seconds, worker_s, gpu_s, disk, memory, requests, cost, basis.format(rates.n_tracks))


def _memory(stage: str, n: int) -> float:
    fixed, per_track = MEMORY[stage]
    return fixed + per_track * n


def _requests(stage: str, shards: int, rates: Rates) -> float:
    return shards * rates.requests_per_shard.get(stage, 0.0)


def _catalog(n: int, shards: int, rates: Rates, resources: Resources) -> StageEstimate:
    seconds, disk = n * rates.catalog_s, n * rates.stored["tracks"]
    return _stage(
        "catalog",
        n,
        rates,
        resources,
        seconds,
        disk,
        _memory("catalog", n),
        _requests("catalog", shards, rates),
        _MEASURED,
    )


def _mels(stored: int, n: int, shards: int, rates: Rates, resources: Resources) -> StageEstimate:
    work = stored * rates.decode_s
    disk = stored * (rates.clips_per_track * rates.stored["mels"] + rates.stored["health"] + rates.stored["rejects"])
    requests = _requests("mels", max(1, round(shards * stored / n)), rates)
    memory = _memory("mels", n)
    seconds = work / resources.workers
    return _stage("mels", stored, rates, resources, seconds, disk, memory, requests, _MEASURED, worker_s=work)


def _train(stored: int, config: PipelineConfig, rates: Rates, resources: Resources) -> StageEstimate:
    clips = int(stored * rates.clips_per_track)
    in_memory = min(clips, config.train.max_clips or clips)
    steps = n_steps(config.train, in_memory) if rates.step_s else 0
    basis = "time per step measured"
    if resources.gpus and rates.device == "cpu":
        speed = resources.gpus * ASSUMED_CLIPS_PER_S / TRAINING
        seconds, gpu_s = steps * config.train.batch_size / speed, steps * config.train.batch_size / speed
        basis = f"assumed: a GPU trains on {ASSUMED_CLIPS_PER_S / TRAINING:,.0f} clips/s; none was measured"
        gpu_s *= resources.gpus
    else:
        seconds = steps * rates.step_s
        gpu_s = seconds if rates.device != "cpu" else 0.0
    fixed, per_clip = MEMORY["train"]
    return _stage(
        "train",
        stored,
        rates,
        resources,
        seconds,
        rates.model_bytes,
        fixed + per_clip * in_memory,
        4,
        basis,
        worker_s=0.0 if gpu_s else None,
        gpu_s=gpu_s,
    )


def _embed(n: int, stored: int, shards: int, rates: Rates, resources: Resources) -> StageEstimate:
    decoding, encoding = (n - stored) * rates.decode_s, n * rates.clips_per_track * rates.encode_s
    basis = _MEASURED
    if resources.gpus:
        if rates.device == "cpu":
            encoding = n * rates.clips_per_track / ASSUMED_CLIPS_PER_S
            basis += f"; assumed: a GPU embeds {ASSUMED_CLIPS_PER_S:,.0f} clips/s; none was measured"
        gpu_s, worker_s = encoding, decoding
        seconds = max(decoding / resources.workers, encoding / resources.gpus)
    else:
        gpu_s, worker_s = 0.0, decoding + encoding
        seconds = worker_s / resources.workers
    disk = n * rates.stored["embeddings"] + (n - stored) * (rates.stored["health"] + rates.stored["rejects"])
    requests, memory = _requests("embed", shards, rates), _memory("embed", n)
    return _stage("embed", n, rates, resources, seconds, disk, memory, requests, basis, worker_s=worker_s, gpu_s=gpu_s)


def _known(stage: str, n: int, shards: int, rates: Rates, resources: Resources) -> StageEstimate:
    """A stage whose cost was measured on made catalogs: see `known`."""
    fixed, per_track, decoded, disk = SECONDS[stage]
    seconds = fixed + per_track * n + decoded * rates.decode_s * n / resources.workers
    basis = "rough: measured on made catalogs of up to 1 M tracks on another machine"
    return _stage(stage, n, rates, resources, seconds, disk * n, _memory(stage, n), 2 * shards, basis)
