"""Rates that a plan can be computed from, without measuring."""

from dataclasses import replace
from typing import Any

from audioae.plan.rates import Rates
from audioae.settings import PipelineConfig

RATES = Rates(
    n_tracks=100,
    n_clips=2_000,
    n_rejected=1,
    workers=2,
    cores=2,
    device="cpu",
    source_bytes=4_000_000.0,
    source_s=200.0,
    catalog_s=0.002,
    decode_s=0.1,
    encode_s=0.002,
    step_s=0.5,
    clips_per_track=20.0,
    model_bytes=1_000_000,
    gflops=50.0,
    pq_s=1e-5,
    seconds=60.0,
    stored={"tracks": 300.0, "mels": 15_000.0, "health": 200.0, "rejects": 1.0, "embeddings": 600.0},
    requests_per_shard={"catalog": 1.0, "mels": 5.0, "embed": 4.0},
)


def rates(**changes: Any) -> Rates:
    return replace(RATES, **changes)


def config(**sections: Any) -> PipelineConfig:
    return PipelineConfig.model_validate({"catalog": {"source": "music"}, **sections})
