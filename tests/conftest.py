"""Fixtures that more than one folder of tests needs."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import recordings

# Where bytecode is not kept, each worker and each of some hundred commands would compile what it imports again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two tests run at a time; more threads than cores make both slow
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", os.path.join(tempfile.gettempdir(), "audioae-hypothesis"))

SLOW = ("tests/flows/", "tests/test_project.py", "tests/packaging/", "tests/pipeline/test_kill.py", "tests/test_api.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest files first: at the end, one worker would run them alone."""
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped for want of real recordings, and how to have them."""
    skipped = [
        report for report in terminalreporter.stats.get("skipped", []) if recordings.MISSING in str(report.longrepr)
    ]
    if skipped:
        tests = "1 test" if len(skipped) == 1 else f"{len(skipped)} tests"
        terminalreporter.write_sep("!", f"{tests} SKIPPED: {recordings.MISSING}", yellow=True, bold=True)
        terminalreporter.write_line(f"To run them, {recordings.HOW_TO_HAVE_THEM}.", yellow=True)


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    """The folder of real recordings (`tests/recordings.py`). Without it, tests that need it are skipped."""
    if not recordings.available():
        pytest.skip(recordings.MISSING)
    return recordings.FOLDER


def free_port() -> int:
    """A port that nothing listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of an S3 server that runs in another process; files from it are cached in a temporary folder."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    variables = {
        "AUDIOAE_CACHE": str(tmp_path_factory.mktemp("cache")),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield endpoint
    finally:
        server.terminate()
        server.wait(10)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture
def s3_root(s3_server: str, request: pytest.FixtureRequest) -> str:
    """A store root in a fresh bucket."""
    import boto3

    bucket = f"audioae-{abs(hash(request.node.nodeid)) % 10**10}-{time.monotonic_ns() % 10**6}"
    boto3.client("s3", endpoint_url=s3_server).create_bucket(Bucket=bucket)
    return f"s3://{bucket}/store?endpoint_override={s3_server.removeprefix('http://')}&scheme=http"


@pytest.fixture(params=["local", "s3"])
def store_root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store root: a local folder, then a bucket."""
    return str(tmp_path / "store") if request.param == "local" else request.getfixturevalue("s3_root")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[str, Callable[[Path], object]], Path]:
    """Make a folder once for all workers: `shared(name, make)` calls `make(folder)` in one, and the others wait for it.

    Nothing may change what is in it.
    """
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder = base / f"shared-{name}"
        with (base / f"shared-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (base / f"shared-{name}.made").exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a worker left that was killed meanwhile
                folder.mkdir()
                make(folder)
                (base / f"shared-{name}.made").touch()
        return folder

    return made


@pytest.fixture(scope="session")
def tiny_audio(shared) -> Path:
    """A folder of 24 short synthesized tracks with tags, in all formats, without faults."""
    from audioae.demo.config import SynthConfig
    from audioae.demo.write import synthesize

    config = SynthConfig(n_tracks=24, min_s=6.0, max_s=9.0, faults=False)
    return shared("audio", lambda folder: synthesize(folder / "catalog", config)) / "catalog"


@pytest.fixture(scope="session")
def tiny_config(tiny_audio: Path) -> tuple[str, list[str]]:
    """Config file and overrides of a run over `tiny_audio`; add `store=...`."""
    config = Path(__file__).parents[1] / "configs" / "tiny.yaml"
    return str(config), ["synth=null", f"catalog.source={tiny_audio}"]


@pytest.fixture(scope="session")
def chain(tiny_config, shared):
    """A finished chain over a small catalog, (store, config), shared by many tests; they must not change it."""
    from audioae.config import load_config
    from audioae.settings import PipelineConfig
    from audioae.store.dataset import Store
    from tests.chain import run_chain

    path, overrides = tiny_config

    def configured(folder: Path) -> PipelineConfig:
        return load_config(PipelineConfig, path, [*overrides, f"store={folder / 'store'}"])

    config = configured(shared("chain", lambda folder: run_chain(configured(folder))))
    return Store(config.store), config
