"""The benchmark for a GPU runs in a short form on the CPU, and needs only torch, numpy and pydantic."""

import json
import subprocess
import sys

BARE = """
import json, sys

missing = "librosa prefect faiss pyarrow lightning soundfile av numba sklearn matplotlib safetensors tensorboard soxr"
sys.modules.update(dict.fromkeys([*missing.split(), "scipy", "duckdb", "torchaudio", "pandas"]))
from tests.bench import bench_gpu

rows = bench_gpu.measure()
print(json.dumps([[row.name, row.value, row.bar, row.note] for row in rows]))
"""


def test_it_runs_on_a_bare_machine_without_a_gpu():
    done = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = {name: (value, bar, note) for name, value, bar, note in json.loads(done.stdout.splitlines()[-1])}
    assert all(bar is None for _, bar, _ in rows.values())
    assert all(note.endswith("no GPU: the CPU, in short") for _, _, note in rows.values())
    assert rows["training, net alone"][0] > 0
    assert rows["training on clips on the device / net alone"][0] > 0.1
    assert rows["training on a stream / net alone"][0] > 0.1
    assert rows["embedding from memory, float32, blocks of 16"][0] > 0
    assert rows["cosine of bfloat16 and float32 embeddings, the least"][0] > 0.98
