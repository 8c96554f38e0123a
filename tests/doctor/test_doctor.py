"""`audioae doctor`: what is fine, what is not, and what to do about it, on real places and services."""

import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from audioae.audio import codecs
from audioae.cli import app
from audioae.doctor import machine, places
from audioae.doctor.machine import (
    check_codecs,
    check_gpu,
    check_memory,
    check_open_files,
    check_packages,
    check_python,
)
from audioae.doctor.places import check_disks, check_source, check_store
from audioae.doctor.result import Result, results_of
from audioae.doctor.services import check_prefect
from audioae.store.storage import Entry, Storage
from tests.conftest import free_port

RUN = CliRunner()


def only(results: Iterator[Result]) -> Result:
    (result,) = results
    return result


def by_name(results: Iterator[Result]) -> dict[str, Result]:
    return {result.name: result for result in results}


def test_this_machine_is_fine():
    for result in (*check_python(), *check_packages(), *check_codecs(), *check_memory()):
        assert result.status == "ok", str(result)
    assert "mp3, aac" in only(check_codecs()).found


def test_a_wrong_python_and_wrong_packages_fail(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert only(check_python()).status == "fail"
    found = {"torch": "2.9.0", "faiss-cpu": "1.12.0"}
    monkeypatch.setattr(machine, "_version", lambda package: found.get(package, "" if package == "av" else "99"))
    result = by_name(check_packages())["audioae[pipeline]"]
    assert result.status == "fail"
    assert "torch 2.9.0, wanted ==2.11.0" in result.found
    assert result.remedy == "pip install 'audioae[pipeline]'"
    monkeypatch.setattr(machine, "_version", lambda _package: "")
    result = by_name(check_packages())["audioae[pipeline]"]
    assert (result.status, result.remedy) == ("warn", "to make a store: pip install 'audioae[pipeline]'")


def test_a_codec_that_pyav_lacks_is_named(monkeypatch):
    monkeypatch.setattr(codecs, "MUSIC", ("mp3", "nonsense"))
    result = only(check_codecs())
    assert (result.status, result.found.split(" lacks ")[1]) == ("warn", "nonsense")


def test_few_open_files_warn():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, limits[1]))
    try:
        result = only(check_open_files())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (result.status, result.found.split()[0]) == ("warn", "512")
    assert result.remedy.startswith("ulimit -n ")


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch):
    """Install a command `nvidia-smi` that does what it is told."""

    def install(script: str) -> None:
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return install


def test_gpus_are_listed_and_a_broken_driver_warns(nvidia_smi, monkeypatch):
    nvidia_smi("echo 'NVIDIA H100, 81559 MiB, 12 MiB, 570.1'; echo 'NVIDIA H100, 81559 MiB, 0 MiB, 570.1'")
    first, second = check_gpu()
    assert (first.status, second.found) == ("ok", "NVIDIA H100, 0 MiB of 81559 MiB used, driver 570.1")
    monkeypatch.setattr(machine, "_version", lambda _package: "2.11.0+cpu")
    assert next(check_gpu()).remedy == "this PyTorch uses no GPU; install torch for CUDA"
    nvidia_smi("echo 'NVIDIA-SMI has failed'; exit 9")
    assert str(only(check_gpu())) == "warn gpu: nvidia-smi: NVIDIA-SMI has failed; check the driver"
    monkeypatch.setenv("PATH", "/nowhere")
    assert only(check_gpu()).status == "ok"


def test_a_store_is_probed_and_left_as_it_was(store_root: str):
    Storage(store_root).write("tracks/LATEST", b"x")
    results = by_name(check_store(store_root))
    assert results["store"].found.endswith(": put, get, list and delete work")
    assert results["clock"].status == "ok", str(results["clock"])
    assert list(Storage(store_root).list("")) == ["tracks/LATEST"]
    assert "secret" not in str(results)


def test_a_bucket_that_is_not_there_fails(s3_root: str):
    result = only(check_store(s3_root.replace("s3://audioae-", "s3://nobody-")))
    assert result.status == "fail"
    assert "put, get, list failed" in result.found
    assert "no such bucket" in result.found
    assert result.remedy == "allow s3:PutObject"


def test_a_right_that_is_missing_is_named(tmp_path: Path, monkeypatch):
    def refuse(_storage: Storage, _key: str) -> None:
        raise OSError("AccessDenied")

    monkeypatch.setattr(Storage, "delete", refuse)
    monkeypatch.setattr(Storage, "is_local", False, raising=False)
    result = by_name(check_store(str(tmp_path)))["store"]
    assert (result.status, result.remedy) == ("fail", "give this user the right to write there")
    assert result.found == f"{tmp_path}: delete failed (AccessDenied)"


def test_a_store_that_does_not_exist_is_not_made(tmp_path: Path):
    result = only(check_store(str(tmp_path / "new" / "store")))
    assert (result.status, result.found.split(": ")[1]) == ("ok", "does not exist yet; the first run makes it")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("late_s", "status"), [(0, "ok"), (30, "warn"), (-3000, "fail")])
def test_a_wrong_clock_is_found(tmp_path: Path, monkeypatch, late_s: int, status: str):
    listing = Storage.list

    def shifted(storage: Storage, prefix: str) -> dict[str, Entry]:
        return {key: Entry(datetime.now(UTC) + timedelta(seconds=late_s), 1) for key in listing(storage, prefix)}

    monkeypatch.setattr(Storage, "list", shifted)
    assert by_name(check_store(str(tmp_path)))["clock"].status == status


def test_a_full_disk_fails(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(places, "LEAST_DISK_GB", (1e9, 1e8))
    result = by_name(check_disks(str(tmp_path / "none")))["disk of the store"]
    assert result.status == "fail"
    assert result.remedy == "free some; `audioae plan` says how much a catalog takes"


def test_a_source_must_have_music(tmp_path: Path):
    from audioae.catalog.sources import CatalogConfig

    (tmp_path / "a").mkdir()
    config = CatalogConfig(source=str(tmp_path))
    assert only(check_source(config)).remedy == "check catalog.source and catalog.extensions"
    (tmp_path / "a" / "b.MP3").write_bytes(b"x")
    assert only(check_source(config)).found == f"{tmp_path}: can be read"
    gone = only(results_of([("source", lambda: check_source(CatalogConfig(source="/nowhere/music")))]))
    assert gone.status == "fail"
    assert "folder not found: /nowhere/music" in gone.found


@contextmanager
def prefect_of_version(version: str) -> Iterator[str]:
    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/api/admin/version"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(version).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Api)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://me:secret@127.0.0.1:{server.server_port}/api"
    server.shutdown()


def test_prefect_answers_in_the_right_version(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert only(check_prefect()).found.startswith("PREFECT_API_URL is not set")
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    assert only(check_prefect()).status == "fail"
    for version, status in (("3.8.1", "ok"), ("2.20.0", "warn")):
        with prefect_of_version(version) as url:
            monkeypatch.setenv("PREFECT_API_URL", url.replace("me:secret@", ""))
            assert only(check_prefect()).status == status


def test_the_command_prints_a_line_each_and_exits_with_1_on_a_failure(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "mine.yaml").write_text(f"store: {tmp_path / 'store'}\ncatalog: {{source: {tmp_path}}}\n")
    good = RUN.invoke(app, ["doctor", str(tmp_path / "mine.yaml")])
    assert good.exit_code == 0, good.output
    assert all(line.split()[0] in ("ok", "warn") for line in good.output.splitlines())
    bad = RUN.invoke(app, ["doctor", str(tmp_path / "mine.yaml"), "--set", "catalog.source=/nowhere", "--json"])
    assert bad.exit_code == 1
    assert [row["name"] for row in json.loads(bad.output) if row["status"] == "fail"] == ["source"]


def test_it_loads_neither_torch_nor_prefect():
    code = (
        "import sys; from audioae.doctor.run import examine; examine(); "
        "print([name for name in ('torch', 'prefect', 'numba', 'librosa', 'faiss') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout.strip() == "[]", run.stderr
