"""A disk that fills up during a run: one clear error, nothing published, and a rerun that continues."""

import subprocess
import sys
from pathlib import Path

from audioae.store.dataset import Store
from tests.chain import run_chain

ROOT = Path(__file__).parents[2]

# The kernel refuses writes as on a full disk: no file may grow beyond the limit.
LIMITED = """
import resource, signal, sys
from audioae.errors import AudioaeError
from tests.chain import run_configured
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
try:
    run_configured(sys.argv[1], sys.argv[2:])
except AudioaeError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def test_a_full_disk_publishes_nothing_and_a_rerun_continues(tiny_config, chain, tmp_path: Path):
    path, overrides = tiny_config
    command = [sys.executable, "-c", LIMITED, path, *overrides, f"store={tmp_path / 'store'}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 1
    assert "StoreError" in run.stderr
    assert "no space left" in run.stderr
    assert "Free space and run again: finished shards are kept" in run.stderr
    store = Store(str(tmp_path / "store"))
    assert store.latest("mels") is None
    assert not list((tmp_path / "store").rglob(".tmp-*"))
    finished, config = chain
    assert run_chain(config.model_copy(update={"store": store.root})) == finished.require("index")
