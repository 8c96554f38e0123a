"""Training and embedding on a GPU, on made mels: it needs torch, numpy and pydantic, and neither data nor a network.

On a bare machine, from the root of the source: `python -m tests.bench gpu`. With pyarrow it also embeds from stored
mels, with safetensors by the stage itself, with soundfile, numba and librosa from decoding, with lightning it also runs
`fit`. Without a GPU it runs in a short form on the CPU, to show that it works; no figure of that has a bar.
`tests/bench/gpu_profile.py` shows where the time goes.

Conventions
-----------
- "Net alone" is a training step (forward, backward, clip, AdamW) on one batch that lies on the device. All other ways
  of feeding are shares of that.
- The peak is that of dense bfloat16 in the vendor's data sheet; the operations are those of convolutions and matrix
  products, counted by torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.batches import Batches, DrawnBatches, PrefetchedBatches, Share, StreamBatches
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet, ClipStream, PairSampler
from audioae.model.fitting import fit_embedding, prepare
from audioae.model.train_config import TrainConfig, precision
from tests.bench.gpu_embedding import CLIPS_PER_TRACK, embedding_rows, seconds
from tests.bench.harness import Row, installed

# TFLOPS, dense bfloat16, NVIDIA's data sheets; the longer name first
PEAKS = {"H100 PCIe": 756, "H100": 989, "H200": 989, "A100": 312, "L40S": 362, "L4": 121, "A10": 125, "4090": 165}
FAST = ("H100", "H200")  # cards that the bar of embedding is for
EMBEDDED_PER_S = 100_000
FED = 0.5  # share of the net alone


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    clips: int
    batch: int
    steps: int
    embedded: int
    channels: tuple[int, ...] = ModelConfig().channels


FULL = Size(clips=65_536, batch=1024, steps=60, embedded=65_536)
SHORT = Size(clips=256, batch=32, steps=2, embedded=64, channels=(4, 8, 8, 16))


def measure(size: Size | None = None) -> Iterator[Row]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU: the CPU, in short"
    for row in _rows(size or (FULL if device.type == "cuda" else SHORT), device, card):
        yield Row(**{**vars(row), "note": ", ".join(filter(None, [row.note, card]))})


def _rows(size: Size, device: torch.device, card: str) -> Iterator[Row]:
    clips = made_clips(size.clips)
    bench = Training(size, clips, device)
    yield from bench.rows()
    yield from fit_row(size, clips, bench.net_alone(), device)
    if device.type == "cuda":
        yield Row("peak memory of the GPU in training", torch.cuda.max_memory_allocated(device) / 2**30, None, " GiB")
        torch.cuda.reset_peak_memory_stats(device)
    fit_embedding(bench.model.cpu().eval(), clips, np.arange(min(len(clips.codes), 1024)))
    is_fast = any(name in card for name in FAST)
    yield from embedding_rows(bench.model, clips.codes[: size.embedded], device, EMBEDDED_PER_S if is_fast else None)
    if device.type == "cuda":
        yield Row("peak memory of the GPU in embedding", torch.cuda.max_memory_allocated(device) / 2**30, None, " GiB")


def made_clips(n: int) -> ClipSet:
    """Noise around a spectrum for each track: clips that cost as much as real ones."""
    rng = np.random.default_rng(0)
    track = np.arange(n) // CLIPS_PER_TRACK
    spectrum = rng.integers(40, 160, (track[-1] + 1, 128, 1), np.uint8)
    codes = rng.integers(0, 90, (n, 128, 130), np.uint8)
    codes += spectrum[track]
    return ClipSet(codes, np.zeros(n, np.float32), track)


class Training:
    """A model in training, fed in several ways."""

    def __init__(self, size: Size, clips: ClipSet, device: torch.device):
        self.size, self.clips, self.device = size, clips, device
        model = build_model(ModelConfig(channels=size.channels), seed=0)
        assert isinstance(model, ConvAutoencoder)
        prepare(model, clips, np.arange(len(clips.codes)), seed=0)
        self.model = model.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        self.half = precision(TrainConfig()) == "bf16-mixed"
        self.share = Share(0, 1, device)
        self.sampler = PairSampler(clips.track, np.arange(len(clips.codes)), seed=0)
        self.alone = 0.0

    def step(self, mels: torch.Tensor, tracks: torch.Tensor) -> None:
        """One step of `training.py`."""
        self.model.train()
        generator = torch.Generator(self.device).manual_seed(0)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            losses, _ = self.model(mels, tracks, generator)
        self.optimizer.zero_grad()
        self.model.total(losses, 0).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()

    def drawn(self, *, on_device: bool) -> DrawnBatches:
        return DrawnBatches(self.clips, self.sampler, self.size.batch // 2, self.share, on_device)

    def net_alone(self) -> float:
        """Clips per second on a single batch."""
        if not self.alone:
            batch = self.drawn(on_device=self.device.type == "cuda").at(0)
            self.alone = self.size.batch / seconds(lambda step: self.step(*batch), self.size.steps, self.device)
        return self.alone

    def fed(self, batches: Batches) -> float:
        """Clips per second of training on `batches`."""
        rate = self.size.batch / seconds(lambda step: self.step(*batches.at(step)), self.size.steps, self.device)
        batches.close()
        return rate

    def rows(self) -> Iterator[Row]:
        alone, on_gpu = self.net_alone(), self.device.type == "cuda"
        how = f"batch {self.size.batch}, {'bfloat16' if self.half else 'float32'}"
        yield Row("training, net alone", alone, None, " clips/s", how)
        flops = self.flops()
        peak = next((peak for name, peak in PEAKS.items() if on_gpu and name in torch.cuda.get_device_name()), None)
        rate = flops / self.size.batch * alone
        if peak:
            yield Row("its operations / peak in bfloat16", rate / peak / 1e12, None, "", f"{peak} TFLOPS")
        yield Row(
            "training, net alone", rate / 1e9, None, " GFLOPS", f"{flops / self.size.batch / 1e6:.0f} MFLOP a clip"
        )
        ways = {"clips on the device": self.drawn(on_device=on_gpu), "a stream": self.stream()}
        if on_gpu:
            ways["clips in memory, prefetched"] = PrefetchedBatches(self.drawn(on_device=False))
        for name, batches in ways.items():
            share = self.fed(batches) / alone
            yield Row(f"training on {name} / net alone", share, FED if on_gpu else None, "", how)

    def stream(self) -> StreamBatches:
        """Windows that are copied in memory, as if they were read."""
        window = max(len(self.clips.codes) // 4, self.size.batch)

        def load(number: int, rank: int, world: int) -> ClipSet:
            rows = (np.arange(window) + number * window) % len(self.clips.codes)
            return ClipSet(self.clips.codes[rows], self.clips.peak_db[rows], self.clips.track[rows])

        stream = ClipStream(len(self.clips.codes), self.clips, window, load, "made")
        return StreamBatches(stream, self.size.batch, 0.0, 0, self.share)

    def flops(self) -> int:
        """Operations of one step."""
        batch = self.drawn(on_device=False).at(0)
        with FlopCounterMode(display=False) as counter:
            self.step(*batch)
        return counter.get_total_flops()


def fit_row(size: Size, clips: ClipSet, alone: float, device: torch.device) -> Iterator[Row]:
    """`fit` as a user runs it, if lightning is installed: its rate is in the last row that it logs."""
    if not installed("lightning"):
        return
    from audioae.model.training import fit

    config = TrainConfig(
        steps=3 * size.steps,
        batch_size=size.batch,
        log_every=size.steps,
        accelerator="cuda" if device.type == "cuda" else "cpu",
        validate_every=10**6,
    )
    result = fit(ModelConfig(channels=size.channels), config, clips)
    rate = [row for row in result.metrics if row["split"] == "train"][-1]["clips_per_s"]
    yield Row("fit / net alone", rate / alone, FED if device.type == "cuda" else None, "", f"{rate:,.0f} clips/s")
