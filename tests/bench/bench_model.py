"""The model on one core: the encoder in `Embedder` and the training step, each compared with plain eager float32.

The plain form is the straightforward one: float32, channels first, separate batch norm, one batch of 128.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioae.constants import N_FRAMES
from audioae.model.augment import augment
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.blocks import PADDED_FRAMES, Encoder, mel_db
from audioae.model.config import ModelConfig
from audioae.model.data import PairSampler
from audioae.model.embedder import BLOCK, Embedder
from tests.bench.harness import Row, interleave

CLIPS = 128


class PlainEncoder(Encoder):
    """The same encoder, channels first."""

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [F.pad(x, (0, PADDED_FRAMES - N_FRAMES)).unsqueeze(1)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


def plain(model: ConvAutoencoder) -> ConvAutoencoder:
    """Build a model with the same weights in plain form."""
    copy = build_model(model.config)
    assert isinstance(copy, ConvAutoencoder)
    copy.encoder = PlainEncoder(model.config.channels)
    copy.load_state_dict(model.state_dict())
    return copy


def training_step(model: ConvAutoencoder, codes: np.ndarray, half: bool) -> Callable[[], None]:
    """Make a function that runs one step of training.py: forward, backward, clip, AdamW."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    sampler = PairSampler(np.arange(len(codes)) // 2, np.arange(len(codes)), seed=0)
    tracks = torch.arange(CLIPS // 2).repeat(2)
    model.train()

    def run() -> None:
        mels = torch.from_numpy(codes[sampler.rows(0, CLIPS // 2)])
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            losses, _ = model(mels, tracks, torch.Generator().manual_seed(0))
        optimizer.zero_grad()
        model.total(losses, 0).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

    return run


def measure() -> list[Row]:
    torch.set_num_threads(1)
    codes = np.random.default_rng(0).integers(0, 256, (2 * CLIPS, 128, 130), dtype=np.uint8)
    mels = torch.from_numpy(codes[:CLIPS])
    model = build_model(ModelConfig()).eval()
    assert isinstance(model, ConvAutoencoder)
    eager = plain(model).eval()
    embedder = Embedder(model, "cpu")
    tuned, generator = build_model(ModelConfig()), torch.Generator().manual_seed(0)
    assert isinstance(tuned, ConvAutoencoder)
    tuned.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    settings = tuned.config.augment
    assert settings is not None

    @torch.inference_mode()
    def embed_in_blocks() -> None:
        for start in range(0, CLIPS, BLOCK):
            embedder.model.embed(mels[start : start + BLOCK])

    seconds = interleave(
        {
            "eager": torch.inference_mode()(lambda: eager.embed(mels)),
            "blocks": embed_in_blocks,
            "eager and error": torch.inference_mode()(lambda: eager.embed_and_score(mels)),
            "embedder": lambda: embedder.embed(codes[:CLIPS]),
            "plain step": training_step(plain(model), codes, half=False),
            "step": training_step(tuned, codes, half=bool(torch.cpu.get_capabilities().get("avx512_bf16"))),
            "draw": lambda: torch.from_numpy(codes[np.arange(CLIPS)]),
            "augment": lambda: augment(mel_db(mels), settings, generator),
        },
        rounds=7,
    )
    ms = {name: f"{1e3 * value / CLIPS:.2f} ms per clip" for name, value in seconds.items()}
    step = seconds["step"]
    return [
        Row("encoder: eager float32 / Embedder's form", seconds["eager"] / seconds["blocks"], 1.25, note=ms["blocks"]),
        Row(
            "embedding and error: eager / Embedder",
            seconds["eager and error"] / seconds["embedder"],
            1.25,
            note=ms["embedder"],
        ),
        Row("training step: eager float32 / ours", seconds["plain step"] / step, 1.5, note=ms["step"]),
        Row("drawing a batch / step", seconds["draw"] / step, 0.02, note="loader", higher_is_better=False),
        Row("augmenting / step", seconds["augment"] / step, 0.15, note=ms["augment"], higher_is_better=False),
    ]
