"""Where the time of a GPU goes: the kernels of a training step and of embedding, and what other settings would gain.

`python -m tests.bench.gpu_profile FOLDER` writes `train.txt` and `embed.txt`, the costliest kernels of each, and prints
clips per second by setting. It needs torch, numpy and pydantic. Without a GPU it shows the operators of the CPU.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from audioae.model.embedder import Embedder
from tests.bench.bench_gpu import FULL, SHORT, Size, Training, made_clips
from tests.bench.gpu_embedding import seconds

ROWS = 25
BLOCKS = (256, 512, 768, 1536)
THREADS = 8


def main(folder: str) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size = FULL if device.type == "cuda" else SHORT
    clips = made_clips(size.clips // 4)
    for batch in (128, size.batch, 4 * size.batch) if device.type == "cuda" else (size.batch,):
        bench = Training(Size(size.clips, batch, size.steps, size.embedded, size.channels), clips, device)
        say(f"step, batch {batch}", bench.net_alone())
        batches = bench.drawn(on_device=device.type == "cuda")
        say(f"batches alone, batch {batch}", batch / seconds(batches.at, size.steps, device))
        say(f"fed, batch {batch}", bench.fed(batches))
    bench = Training(size, clips, device)
    bench.optimizer = torch.optim.AdamW(bench.model.parameters(), lr=1e-3, fused=True)
    say("step, fused optimizer", bench.net_alone())
    bench = Training(size, clips, device)
    batch = bench.drawn(on_device=device.type == "cuda").at(0)
    top(lambda: bench.step(*batch), Path(folder) / "train.txt", device)
    torch.backends.cudnn.benchmark = True
    bench.alone = 0.0
    say("step, cudnn.benchmark", bench.net_alone())
    torch.backends.cudnn.benchmark = False
    if device.type == "cuda":
        bench.model.encoder.compile()
        bench.model.decoder.compile()
        for _ in range(2):
            bench.alone = 0.0
            say("step, compiled", bench.net_alone())
    embedder = Embedder(Training(size, clips, device).model, device.type)
    top(lambda: embedder.embed(clips.codes[: 4 * embedder.block]), Path(folder) / "embed.txt", device)
    for block in BLOCKS if device.type == "cuda" else ():
        embedder.block = block
        say(f"embed, blocks of {block}", len(clips.codes) / seconds(lambda _: embedder.embed(clips.codes), 2, device))
        with ThreadPoolExecutor(THREADS) as pool:
            parts = np.array_split(clips.codes, len(clips.codes) // 768)
            elapsed = seconds(lambda _, pool=pool, parts=parts: list(pool.map(embedder.embed, parts)), 2, device)
        say(f"embed, blocks of {block}, {THREADS} threads of 768 clips", len(clips.codes) / elapsed)
    recorded, embedder.gpu = embedder.gpu, None
    embedder.block = 768
    say(
        "embed, blocks of 768, kernel by kernel",
        len(clips.codes) / seconds(lambda _: embedder.embed(clips.codes), 2, device),
    )
    embedder.gpu = recorded


def top(run: Callable[[], object], path: Path, device: torch.device) -> None:
    """Write the costliest kernels of five runs."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    run()
    with profile(activities=activities, record_shapes=True) as profiled:
        for _ in range(5):
            run()
    order = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    averages = profiled.key_averages()
    text = averages.table(sort_by=order, row_limit=ROWS, max_name_column_width=90)
    text += profiled.key_averages(group_by_input_shape=True).table(
        sort_by=order, row_limit=ROWS, max_name_column_width=50, max_shapes_column_width=90
    )
    text += averages.table(sort_by="self_cpu_time_total", row_limit=ROWS, max_name_column_width=60)
    path.write_text(text)


def say(what: str, rate: float) -> None:
    sys.stdout.write(f"{what:<40} {rate:>12,.0f} clips/s\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
