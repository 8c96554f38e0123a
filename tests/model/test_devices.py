"""Training on several devices: two processes on the CPU."""

import numpy as np
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
