"""Decode mp3 files and compute their mels: two worker processes against one, beside a caller that takes as long, and
the cost of sending an item.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.extract import extract
from audioae.audio.workers import imap_killable
from tests.audio.worker_functions import double
from tests.bench.harness import Row, interleave

N_TRACKS = 24
N_CALLS = 2000
BLOCK = 8  # tracks that the caller collects before it works on them


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        items = [
            (i, (str(path), ClipConfig(), DecodeConfig()))
            for i, path in enumerate(write_tracks(Path(folder), N_TRACKS))
        ]
        extracting = interleave(
            {
                "one": lambda: [*imap_killable(extract, items, workers=1, timeout_s=60)],
                "two": lambda: [*imap_killable(extract, items, workers=2, timeout_s=60)],
                "one plain process": lambda: count(1),
                "two plain processes": lambda: count(2),
            }
        )
        many = items * 4
        pause = extracting["one"] / N_TRACKS
        beside = interleave({"alone": lambda: _extract(many, 0.0), "both": lambda: _extract(many, pause)}, rounds=3)
        calls = [(i, (i,)) for i in range(N_CALLS)]
        handing = interleave({"calls": lambda: [*imap_killable(double, calls, workers=1, timeout_s=60)]})
    per_track = extracting["one"] / N_TRACKS
    share = handing["calls"] / N_CALLS / per_track
    plain = 2 * extracting["one plain process"] / extracting["two plain processes"]
    note = f"one: {per_track * 1e3:.1f} ms per 30-s mp3; two plain processes on this machine: {plain:.2f}x"
    return [
        Row("decode + mel of files: one worker / two workers", extracting["one"] / extracting["two"], 1.8, note=note),
        Row(
            "decode + mel beside a caller that takes as long / the longer of both",
            beside["both"] / max(beside["alone"], pause * len(many)),
            1.15,
            higher_is_better=False,
        ),
        Row("sending an item / decode + mel of a 30-s mp3", 100 * share, 2.0, unit="%", higher_is_better=False),
    ]


def _extract(items: list[tuple], pause: float) -> None:
    """Decode in one worker; the caller takes `pause` seconds for each file, after every `BLOCK` of them."""
    for i, _ in enumerate(imap_killable(extract, items, workers=1, timeout_s=60), start=1):
        if pause and i % BLOCK == 0:
            time.sleep(BLOCK * pause)


def count(n_processes: int) -> None:
    """The same work in each of some independent processes: the speedup that the machine allows."""
    command = [sys.executable, "-c", "sum(i * i for i in range(5_000_000))"]
    processes = [subprocess.Popen(command) for _ in range(n_processes)]
    for process in processes:
        process.wait()


def write_tracks(folder: Path, n: int) -> list[Path]:
    """Write `n` mp3 files of 30 s."""
    rng = np.random.default_rng(0)
    seconds = np.arange(30 * 44_100) / 44_100
    paths = [folder / f"{i}.mp3" for i in range(n)]
    for path in paths:
        tones = sum(np.sin(2 * np.pi * hz * seconds) for hz in rng.uniform(80, 4000, 8)) / 16
        waveform = np.stack([tones, 0.8 * tones], axis=1) + rng.normal(0, 0.01, (len(seconds), 2))
        soundfile.write(path, waveform, 44_100, format="MP3")
    return paths
