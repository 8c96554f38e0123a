"""How to train: the settings of a run, and the choices that follow from them and from the machine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from audioae.config import Config

if TYPE_CHECKING:
    import torch


class TrainConfig(Config):
    """How to train; `ModelConfig` describes the model. `batch_size` counts clips over all devices.

    `threads` is the number of CPU threads (null: all cores but one).
    """

    steps: int = Field(default=1400, ge=1)
    batch_size: int = Field(default=128, ge=2, multiple_of=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup: int = Field(default=50, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=5.0, gt=0)
    held_out: float = Field(default=0.1, ge=0, lt=1)
    seed: int = Field(default=0, ge=0)
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = Field(default=1, ge=1)
    threads: int | None = Field(default=None, ge=1)
    precision: Literal["auto", "bf16-mixed", "32-true"] = "auto"
    compile: Literal["auto"] | bool = "auto"
    log_every: int = Field(default=10, ge=1)
    validate_every: int = Field(default=100, ge=1)
    patience: int = Field(default=10, ge=1)
    checkpoint_every: int = Field(default=100, ge=1)
    collapse_grace: int = Field(default=300, ge=1)
    max_minutes: float | None = Field(default=None, gt=0)


def learning_rate(config: TrainConfig, step: int, minutes: float = 0.0) -> float:
    """Linear warm-up, then half a cosine to 1 % at the last step, or at the end of `max_minutes` if that comes first.

    >>> [round(learning_rate(TrainConfig(steps=100, warmup=10), step), 5) for step in (0, 9, 55, 100)]
    [0.0002, 0.002, 0.00101, 2e-05]
    """
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    done = (step - config.warmup) / max(config.steps - config.warmup, 1)
    if config.max_minutes is not None:
        done = max(done, min(minutes / config.max_minutes, 1.0))
    return config.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def precision(config: TrainConfig) -> Literal["bf16-mixed", "32-true"]:
    """Choose bfloat16 where the hardware supports it; tests/bench/bench_model.py measures its gain on a CPU."""
    if config.precision != "auto":
        return config.precision
    import torch

    if config.accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if config.accelerator == "mps" or (config.accelerator == "auto" and torch.backends.mps.is_available()):
        return "32-true"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16") else "32-true"


def compiles(config: TrainConfig, device: torch.device) -> bool:
    """Decide whether to compile: by default only in long runs on a GPU.

    On one CPU core compiling took 54 s and cut the time of a step by only 9 %, which does not pay off in a short run.
    """
    if config.compile != "auto":
        return config.compile
    return device.type == "cuda" and config.steps >= 2000
