"""How to train: the settings of a run, and the choices that follow from them and from the machine.

Why automatic steps are 14 passes over the clips, 300 to 1,400 steps: 300 steps are 14 passes over the demo's 2,750
clips, and all published figures of quality are of 300 steps; 200 gave .013 to .021 less mAP. Up to 1,400 steps, more
passes still helped (docs/embeddings.md).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_serializer, model_validator

from audioae.config import Config

PASSES = 14
FEWEST_STEPS, MOST_STEPS = 300, 1400


class TrainConfig(Config):
    """How to train; `ModelConfig` describes the model. `batch_size` counts clips over all devices of all nodes.

    `steps: auto` is 14 passes over the clips, but 300 to 1,400 steps. `threads` is the number of CPU threads (null: all
    cores but one). With `num_nodes` above 1, the same command runs once on every node (see `model/devices.py`).

    Settings in `ADDED` are newer than stores and checkpoints that exist. At their default they are left out wherever a
    config is written, so that they make no recipe of an older version look like another one.
    """

    ADDED: ClassVar[dict[str, Any]] = {"num_nodes": 1}

    steps: int | Literal["auto"] = "auto"
    batch_size: int = Field(default=128, ge=2, multiple_of=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup: int = Field(default=50, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=5.0, gt=0)
    held_out: float = Field(default=0.1, ge=0, lt=1)
    seed: int = Field(default=0, ge=0)
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = Field(default=1, ge=1)
    num_nodes: int = Field(default=1, ge=1)
    threads: int | None = Field(default=None, ge=1)
    precision: Literal["auto", "bf16-mixed", "32-true"] = "auto"
    compile: Literal["auto"] | bool = "auto"
    log_every: int = Field(default=10, ge=1)
    validate_every: int = Field(default=100, ge=1)
    patience: int = Field(default=10, ge=1)
    checkpoint_every: int = Field(default=100, ge=1)
    collapse_grace: int = Field(default=300, ge=1)
    max_minutes: float | None = Field(default=None, gt=0)

    @field_validator("steps", mode="before")
    @classmethod
    def _number_or_auto(cls, steps: object) -> object:
        if steps == "auto" or (isinstance(steps, int) and steps >= 1):
            return steps
        raise ValueError("wanted a number above 0, or auto")

    @model_validator(mode="after")
    def _batch_is_shared_evenly(self) -> TrainConfig:
        if self.batch_size % (2 * self.n_processes):
            raise ValueError(
                f"batch_size {self.batch_size}: wanted a multiple of {2 * self.n_processes}, a pair for each of "
                f"{self.devices} devices on {self.num_nodes} nodes"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_new_defaults(self, dump: Any) -> dict[str, Any]:
        values = dump(self).items()
        return {name: value for name, value in values if name not in self.ADDED or value != self.ADDED[name]}

    @property
    def n_processes(self) -> int:
        """Processes that train together: one per device of every node."""
        return self.devices * self.num_nodes


def n_steps(config: TrainConfig, n_clips: int) -> int:
    """The number of steps of a training on `n_clips` clips.

    >>> [n_steps(TrainConfig(), n) for n in (1_300, 4_000, 100_000)], n_steps(TrainConfig(steps=20), 4_000)
    ([300, 438, 1400], 20)
    """
    if config.steps != "auto":
        return config.steps
    return min(max(math.ceil(PASSES * n_clips / config.batch_size), FEWEST_STEPS), MOST_STEPS)


def learning_rate(config: TrainConfig, steps: int, step: int, minutes: float = 0.0) -> float:
    """Linear warm-up, then half a cosine to 1 % after `steps`, or at the end of `max_minutes` if that comes first.

    >>> [round(learning_rate(TrainConfig(warmup=10), 100, step), 5) for step in (0, 9, 55, 100)]
    [0.0002, 0.002, 0.00101, 2e-05]
    """
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    done = (step - config.warmup) / max(steps - config.warmup, 1)
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


def compiles(config: TrainConfig) -> bool:
    """Whether to compile the encoder and the decoder: by default never.

    On an H100 compiled steps of 1,024 clips ran at 44,000 clips/s, others at 53,000. On one CPU core compiling took
    54 s and cut the time of a step by 9 %.
    """
    return config.compile is True
