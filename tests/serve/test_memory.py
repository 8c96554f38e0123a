"""A server process stays small and light, whatever is sent to it: bodies that are too large, and files to embed."""

import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.audio.made import music, write
from tests.processes import Run
from tests.serve.floods import flood, growth_mib, libraries, rest
from tests.serve.serving import catalog_store
from tests.stores import random_weights

READY = re.compile(r"^(http://127\.0\.0\.1:\d+) ", re.MULTILINE)
MEGABYTES = 300  # above the limit of uploads, 256


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """URL and process ID of the one worker of an `audioae serve` that has its decoders ready."""
    folder = tmp_path_factory.mktemp("memory")
    store = catalog_store(folder, model=random_weights())
    command = [sys.executable, "-m", "audioae", "serve", "--store", store.root, "--port", "0", "--no-access-log"]
    run = Run([*command, "--warm-decoders"], folder / "log", TMPDIR=str(folder))
    try:
        run.wait_until(lambda: READY.search(run.printed))
        found = READY.search(run.printed)
        assert found
        run.wait_until(lambda: sum("worker_process" in line for line in run.processes()) == 4)  # uploads, clips
        commands = [line.split(" ", 1) for line in run.processes()]
        (pid,) = [
            int(pid) for pid, command in commands if "worker_process" not in command and int(pid) != run.process.pid
        ]
        yield found[1], pid
    finally:
        run.process.terminate()
        run.process.wait(20)
    assert list(folder.glob("audioae-upload-*")) == []


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/v1/similar", "application/json"),
        ("/v1/embed", "audio/mpeg"),
        ("/v1/similar:file", "multipart/form-data; boundary=b"),
    ],
)
def test_a_body_that_is_far_too_large_leaves_the_memory_flat(server: tuple[str, int], path: str, media: str):
    url, pid = server
    httpx.post(f"{url}{path}", content=b"{}", headers={"Content-Type": media}, timeout=60)  # imports what it needs
    before = rest(pid)
    answer = flood(f"{url}{path}", MEGABYTES, media)
    assert answer.status_code in (400, 413)  # the form is none
    assert growth_mib(pid, before) < 40, path


def test_eight_floods_at_once_do_not_add_up(server: tuple[str, int]):
    url, pid = server
    before = rest(pid)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(flood(f"{url}/v1/similar", 64, "application/json").status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [413] * 8
    assert growth_mib(pid, before) < 8 * 2 * 16 + 40  # each may hold its 16 MiB, and once more while it is joined


def test_after_uploads_the_server_has_loaded_neither_torch_nor_a_decoder(server: tuple[str, int], tmp_path: Path):
    url, pid = server
    content = write(tmp_path / "a.mp3", music(4.0)).read_bytes()
    for path in ("/v1/embed", "/v1/similar:file"):
        assert httpx.post(f"{url}{path}", files={"file": ("a.mp3", content)}, timeout=60).status_code == 200
    mapped = libraries(pid)
    assert "faiss" in mapped
    for library in ("torch", "libavcodec", "sndfile", "soxr", "numba", "scipy", "sklearn"):
        assert f"/{library}" not in mapped
