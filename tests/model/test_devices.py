"""Training on several devices: two processes on the CPU."""

import os

import numpy as np
import pytest
import torch

from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.train_config import TrainConfig
from audioae.model.training import fit


def test_two_processes_train_one_model(tiny: ModelConfig, clips: ClipSet):
    config = TrainConfig(
        steps=4,
        batch_size=16,
        warmup=1,
        log_every=1,
        validate_every=4,
        accelerator="cpu",
        devices=2,
        precision="32-true",
    )
    result = fit(tiny, config, clips)
    assert [(row["step"], row["split"]) for row in result.metrics] == [
        (1, "train"), (2, "train"), (3, "train"), (4, "train"), (4, "held_out"),
    ]  # fmt: skip
    assert all(np.isfinite(row["loss"]) for row in result.metrics)
    with torch.no_grad():
        embeddings = result.model.embed(torch.from_numpy(clips.codes))
    assert torch.isfinite(embeddings).all()
    assert embeddings.std() > 0.1


def test_what_is_reported_is_called_in_this_process(tiny: ModelConfig, clips: ClipSet):
    """Loggers and progress bars do not pickle."""
    config = TrainConfig(steps=9, batch_size=8, warmup=1, log_every=3, validate_every=9, accelerator="cpu", devices=2)
    rows, said, process = [], [], os.getpid()
    fit(tiny, config, clips, on_progress=lambda row: rows.append((os.getpid(), row["step"])), say=said.append)
    assert rows == [(process, 3), (process, 6), (process, 9), (process, 9)]
    assert len(said) == 1
    assert said[0].startswith("training: ")


def test_a_callback_that_fails_fails_the_training(tiny: ModelConfig, clips: ClipSet):
    def on_row(row):
        raise RuntimeError("the log is full")

    config = TrainConfig(steps=2, batch_size=8, warmup=1, log_every=1, accelerator="cpu", devices=2)
    with pytest.raises(RuntimeError, match="the log is full"):
        fit(tiny, config, clips, on_progress=on_row)
