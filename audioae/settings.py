"""The configuration of the whole pipeline: one section per stage, and one for how to run them.

Convention: importing this module and reading a config load no heavy package, so a mistyped key is reported at once.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from audioae.catalog.sources import CatalogConfig
from audioae.config import Config
from audioae.demo.config import BEGUN, PLANTED, SynthConfig
from audioae.maps.config import MapConfig
from audioae.model.config import ModelConfig
from audioae.model.extra_config import EmbeddingConfig
from audioae.pipeline.config import MelsConfig, Retry, TrainStageConfig, Workers
from audioae.playlists.config import PlaylistRequest
from audioae.recommend.config import RecommendConfig
from audioae.screening.config import ScreenConfig
from audioae.search.factory import IndexConfig
from audioae.similarity.config import SimilarConfig


class RunConfig(Config):
    """How to run the stages; nothing here changes a result.

    `workers` is the number of decoding processes per machine (null: one per core). `runner: dask` distributes groups of
    shards over a local cluster of `workers` processes, or over the cluster at `dask_address`, where each Dask worker
    has `workers` decoding processes (null: one). `dask_resources` says which of its workers compute a stage, such as
    `{mels: {CPU: 1}, embed: {GPU: 1}}`: those that were started with `--resources`. A file that takes longer than
    `decode_timeout_s` to decode has failed. A track that failed for a reason that may pass (unreadable, timeout,
    crashed, out of memory) is tried again by later runs: `decode_attempts` times in all, and not within
    `retry_pause_s` of the last time (`--set run.retry_pause_s=0` tries it at once). Without PREFECT_API_URL, a private
    Prefect server may take `server_start_s` to come up. With `log_json`, each line on stderr is a JSON object. Runs in
    Prefect's page link to `report_url`, where you serve the report of the store.
    """

    runner: Literal["local", "dask"] = "local"
    workers: int | None = Field(default=None, ge=1)
    dask_address: str | None = None
    dask_resources: dict[Literal["mels", "embed", "index", "similar"], dict[str, float]] = Field(default_factory=dict)
    decode_timeout_s: float = Field(default=60.0, gt=0)
    decode_attempts: int = Field(default=3, ge=1)
    retry_pause_s: float = Field(default=3600.0, ge=0)
    server_start_s: float = Field(default=120.0, gt=0)
    max_tasks: int = Field(default=900, ge=1, le=1000)
    tensorboard: str | None = None
    log_json: bool = False
    report_url: str | None = None

    @model_validator(mode="after")
    def _resources_are_of_a_cluster(self) -> "RunConfig":
        if self.dask_resources and not (self.runner == "dask" and self.dask_address):
            raise ValueError(
                "dask_resources chooses among the workers of a Dask cluster; wanted runner: dask and a dask_address too"
            )
        return self

    @property
    def n_workers(self) -> int:
        return self.workers or len(os.sched_getaffinity(0))

    @property
    def decode_workers(self) -> Workers:
        """Decoding processes of a stage that may run on a cluster: on Dask, those of one Dask worker.

        >>> RunConfig(runner="dask", workers=3).decode_workers.n
        1
        """
        on_dask = (self.dask_address and self.workers) or 1
        return replace(self.local_workers, n=on_dask) if self.runner == "dask" else self.local_workers

    @property
    def local_workers(self) -> Workers:
        """Workers of a stage that always runs on this machine.

        >>> RunConfig(runner="dask", workers=3).local_workers.n
        3
        """
        retry = Retry(attempts=self.decode_attempts, pause_s=self.retry_pause_s)
        return Workers(n=self.n_workers, timeout_s=self.decode_timeout_s, retry=retry)


class PipelineConfig(Config):
    """Everything that `audioae run CONFIG` needs.

    `catalog`, `model` and `index` may each name a YAML file or a packaged config: `model: mine.yaml`, `model: vae`.

    With `synth`, the demo catalog is synthesized into `catalog.source` before the first stage, unless that is a
    manifest or a folder with music of its own. `map: null` and `screen: null` skip these stages.
    """

    INCLUDES: ClassVar[tuple[str, ...]] = ("catalog", "model", "index")

    store: str = "data"
    catalog: CatalogConfig
    synth: SynthConfig | None = None
    mels: MelsConfig = MelsConfig()
    model: ModelConfig = ModelConfig()
    train: TrainStageConfig = TrainStageConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    index: IndexConfig = IndexConfig()
    map: MapConfig | None = MapConfig()
    screen: ScreenConfig | None = ScreenConfig()
    similar: SimilarConfig = SimilarConfig()
    recommend: RecommendConfig | None = None
    playlists: tuple[PlaylistRequest, ...] = ()
    max_reject_rate: float = Field(default=0.2, ge=0, le=1)
    run: RunConfig = RunConfig()

    @property
    def to_synthesize(self) -> SynthConfig | None:
        """The demo catalog to be made, if any; music of the user in `catalog.source` takes its place."""
        if self.catalog.is_remote:
            return None
        source = Path(self.catalog.source).expanduser()
        if self.catalog.is_manifest or (
            not any((source / name).exists() for name in (PLANTED, BEGUN))
            and any(file.lower().endswith(self.catalog.suffixes) for _, _, files in os.walk(source) for file in files)
        ):
            return None
        return self.synth

    @property
    def log_dir(self) -> Path | None:
        """TensorBoard's folder: `run.tensorboard`, or a folder in the store if the store is local."""
        local = Path(self.store).expanduser() / "tensorboard" if "://" not in self.store else None
        return Path(self.run.tensorboard) if self.run.tensorboard else local
