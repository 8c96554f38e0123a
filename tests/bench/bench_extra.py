"""What a network of waveforms adds to the embeddings of real recordings, and what it costs.

The network is made here, not trained: means and deviations of 20 MFCC at 16 kHz, as a TorchScript file. It says what
an informative network does to retrieval; what a pretrained one does depends on the network. One model is trained on
the 400 sounds of ESC-10 (if `python -m tests.bench quality` has trained it, that one is taken), and the same model is
embedded with the network at several weights.
"""

import io
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchaudio
from torch import Tensor, nn

from audioae.config import load_config
from audioae.library.track_vectors import vectors_from_store
from audioae.metrics.metric import Metric, difference
from audioae.metrics.retrieval import measure as retrieve
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from tests import recordings
from tests.bench import bench_quality
from tests.bench.harness import Row
from tests.chain import run_chain
from tests.model.made_networks import Energies, onnx_energies, torchscript

ROOT = Path("data/extra")
WEIGHTS = (0.5, 1.0, 2.0)
METRICS = ("mAP by label", "kNN by label")


class Mfcc(nn.Module):
    """Liftered MFCC 1 to 20 of 16 kHz, (n, 40): means and deviations over time."""

    filters: Tensor
    cosines: Tensor
    window: Tensor

    def __init__(self):
        super().__init__()
        filters = torchaudio.functional.melscale_fbanks(257, 20.0, 8_000.0, 64, 16_000, norm="slaney")
        cosines = torchaudio.functional.create_dct(21, 64, "ortho")[:, 1:]
        lifter = torch.sqrt(torch.arange(1, 21, dtype=torch.float32))
        self.register_buffer("filters", filters)
        self.register_buffer("cosines", torch.mul(cosines, lifter))
        self.register_buffer("window", torch.hann_window(400))

    def forward(self, waveforms: Tensor) -> Tensor:
        frames = waveforms.unfold(1, 400, 160) * self.window
        power = torch.fft.rfft(frames, n=512).abs().square()
        mfcc = (power @ self.filters + 1e-6).log() @ self.cosines
        return torch.cat([mfcc.mean(dim=1), mfcc.std(dim=1)], dim=1)


MEMORY = """
import sys
from pathlib import Path
import audioae.audio.extract
from audioae.audio.config import WindowConfig
from audioae.model.extra_waveform import WaveformNetwork

def resident():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024

before = resident()
kind, path = sys.argv[1:]
WaveformNetwork(kind, Path(path).read_bytes(), "net", WindowConfig(sample_rate=16_000)).check()
print(resident() - before)
"""


def measure() -> list[Row]:
    return _retrieval() + [_memory(kind) for kind in ("onnx", "torchscript")]


def _memory(kind: str) -> Row:
    """What a small network of this kind adds to a decoding process."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(onnx_energies() if kind == "onnx" else torchscript(Energies()))
        file.flush()
        command = [sys.executable, "-W", "ignore", "-c", MEMORY, kind, file.name]
        mb = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return Row(f"memory of a decoding process, {kind}", mb, None, "MB", "resident, more than without a network")


def _retrieval() -> list[Row]:
    if not (recordings.FOLDER / "esc10.csv").exists():
        print(f"   left out: {recordings.MISSING}")
        return []
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    if (bench_quality.ROOT / "recordings").is_dir():
        shutil.copytree(bench_quality.ROOT / "recordings", ROOT / "store")
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Mfcc()), buffer)
    (ROOT / "mfcc.pt").write_bytes(buffer.getvalue())
    plain, _ = _run(None)
    rows = [_row("without a network", name, metric) for name, metric in plain.items()]
    for weight in WEIGHTS:
        found, seconds = _run(weight)
        for name, metric in found.items():
            rows.append(_row(f"with the network at weight {weight:g}", name, metric, plain[name]))
        what = "the files are decoded again, for their vectors" if weight == WEIGHTS[0] else "vectors are kept"
        rows.append(Row(f"run with the network at weight {weight:g}", seconds, None, "s", what))
    shutil.rmtree(ROOT)
    return rows


def _run(weight: float | None) -> tuple[dict[str, Metric], float]:
    overrides = [
        f"store={ROOT}/store",
        f"catalog.source={recordings.FOLDER / 'esc10.csv'}",
        "catalog.columns={split: fold}",
        f"train.steps={bench_quality.STEPS}",
        "run.workers=1",
    ]
    if weight:
        network = f"kind: torchscript, path: {ROOT}/mfcc.pt, input: waveform, sample_rate: 16000"
        overrides.append(f"embedding.extra={{{network}, weight: {weight}}}")
    start = time.perf_counter()
    config = load_config(PipelineConfig, "configs/pipeline.yaml", overrides)
    run_chain(config)
    seconds = time.perf_counter() - start
    store = Store(config.store)
    tracks = vectors_from_store(store, store.require("embeddings"))
    found = retrieve(np.ascontiguousarray(tracks.vectors, np.float32), tracks.metadata)
    return {metric.key: metric for metric in found.metrics if metric.key in METRICS}, seconds


def _row(what: str, name: str, metric: Metric, plain: Metric | None = None) -> Row:
    note = ""
    if plain is not None:
        change = difference(metric, plain)
        interval = "" if change.interval is None else f" [{change.interval[0]:+.3f}, {change.interval[1]:+.3f}]"
        note = f"{change.value:+.3f}{interval} against none"
    return Row(f"{name}, {what}", metric.value, None, "", note)
