"""The plan against the run: `audioae plan` on made files, then the same run, stage by stage.

`AUDIOAE_PLAN_N` sets the number of tracks (20,000). The tracks are wav files of 6 s, so that most of a run's time is
not decoding, which is the easy part to plan.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from audioae.pipeline.run_log import list_runs
from audioae.store.dataset import Store
from tests.bench.harness import Row

N = int(os.environ.get("AUDIOAE_PLAN_N", "20000"))
RATE, LENGTH_S = 22_050, 6.0
WITHIN = 0.25
SETTINGS = ("train.steps=60",)


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="audioae-plan-bench-") as folder:
        root = Path(folder)
        make_files(root / "music", N)
        sets = [f"catalog.source={root / 'music'}", f"store={root / 'store'}", *SETTINGS]
        options = [part for one in sets for part in ("--set", one)]
        plan = json.loads(_audioae("plan", str(N), "pipeline", *options, "--json"))
        _audioae("run", "pipeline", *options)
        seconds = list_runs(Store(str(root / "store")), 1)[0]["seconds"]
        disk = sum(path.stat().st_size for path in (root / "store").rglob("*") if path.is_file())
    planned = {stage["stage"]: stage["seconds"] for stage in plan["stages"]}
    rows = [
        Row(f"{stage}: planned / run", planned[stage] / max(seconds[stage], 1e-9), None, "", f"{seconds[stage]:.0f} s")
        for stage in planned
        if stage in seconds
    ]
    total = sum(seconds[stage] for stage in planned if stage in seconds)
    note = f"planned {plan['seconds']:.0f} s, took {total:.0f} s"
    return [
        *rows,
        Row("the run: distance of planned / run from 1", abs(plan["seconds"] / total - 1), WITHIN, "", note, False),
        Row(
            "the store: distance of planned / real bytes from 1",
            abs(plan["disk_bytes"] / disk - 1),
            WITHIN,
            "",
            "",
            False,
        ),
    ]


def make_files(folder: Path, n: int) -> None:
    """Write n different sounds: notes of random pitch, timbre and rhythm, with a little noise."""
    folder.mkdir(parents=True)
    time_s = np.arange(int(RATE * LENGTH_S)) / RATE
    for number in range(n):
        rng = np.random.default_rng(number)
        pitch, beat = 110 * 2 ** rng.uniform(0, 3), rng.uniform(1, 5)
        tone = sum(rng.uniform() / k * np.sin(2 * np.pi * k * pitch * time_s) for k in range(1, 6))
        sound = tone * np.exp(-5 * ((time_s * beat) % 1)) + 0.01 * rng.standard_normal(len(time_s))
        path = folder / f"{number // 1000:03d}" / f"{number:06d}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.5 * sound / np.abs(sound).max(), RATE)


def _audioae(*arguments: str) -> str:
    command = [sys.executable, "-m", "audioae", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    if run.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {run.stderr[-2000:]}")
    return run.stdout
