"""`audioae serve` as processes: how it starts, what stops it from starting, what kills do, and how it ends."""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from audioae.store.dataset import Store
from tests.processes import Run
from tests.serve.serving import catalog_store

READY = re.compile(r"^(http://127\.0\.0\.1:\d+)  (index@\w+), 55 tracks; (.*); API at /docs$", re.MULTILINE)
LIMIT_S = 5.0


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return catalog_store(tmp_path_factory.mktemp("catalog"))


class Service:
    """A running `audioae serve`."""

    def __init__(self, store: Store, log: Path, *options: str, **environment: str):
        command = [sys.executable, "-m", "audioae", "serve", "--store", store.root, "--port", "0", *options]
        self.run = Run(command, log, **environment)

    def ready(self) -> str:
        """Wait until it is ready; its URL."""
        self.run.wait_until(lambda: READY.search(self.run.printed))
        return self.line()[1]

    def line(self) -> re.Match[str]:
        found = READY.search(self.run.printed)
        assert found
        return found

    def workers(self) -> list[int]:
        return [pid for pid in (int(line.split()[0]) for line in self.run.processes()) if pid != self.run.process.pid]

    def access_log(self) -> list[dict]:
        return [line for line in self.json_lines() if "request_id" in line]

    def json_lines(self) -> list[dict]:
        return [json.loads(line) for line in self.run.printed.splitlines() if line.startswith("{")]


@pytest.fixture
def start(tmp_path: Path, store: Store) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def begin(*options: str, **environment: str) -> Service:
        services.append(Service(store, tmp_path / f"{len(services)}.log", *options, **environment))
        return services[-1]

    yield begin
    for service in services:
        service.run.kill()


def ask(client: httpx.Client, track_id: str = "t07", k: int = 3) -> httpx.Response:
    return client.post("/v1/similar", json={"seeds": [{"track_id": track_id}], "k": k})


class Load(threading.Thread):
    """Questions one after the other, on one connection or on a new one each, until `stop`."""

    def __init__(self, url: str, *, reuse: bool):
        super().__init__(daemon=True)
        self.url, self.reuse = url, reuse
        self.n, self.failures, self.stopping = 0, [], threading.Event()

    def run(self) -> None:
        client = httpx.Client(base_url=self.url, timeout=30)
        while not self.stopping.is_set():
            try:
                if not self.reuse:
                    client.close()
                    client = httpx.Client(base_url=self.url, timeout=30)
                answer = ask(client)
                if answer.status_code != 200:
                    self.failures.append(answer.text)
            except httpx.HTTPError as error:
                self.failures.append(repr(error))
            self.n += 1
        client.close()

    def stop(self) -> None:
        self.stopping.set()
        self.join(60)


def test_it_says_when_it_is_ready_answers_and_ends_after_what_is_in_flight(start, store):
    service = start()
    url = service.ready()
    assert service.line()[2] == str(store.require("index"))
    assert service.line()[3] == "1 worker; without keys: readable by anybody on this machine"
    assert len(service.workers()) == 1
    with httpx.Client(base_url=url, headers={"X-Request-ID": "mine-1"}) as client:
        answer = ask(client)
        assert answer.status_code == 200
        assert answer.headers["x-request-id"] == "mine-1"
        assert "server" not in answer.headers
        status, seconds, lines = service.run.end_by(signal.SIGTERM)
    assert (status, service.run.is_gone()) == (0, True)
    assert seconds < LIMIT_S
    (line,) = service.access_log()
    assert (line["request_id"], line["route"], line["status"]) == ("mine-1", "/v1/similar", 200)
    assert all(line.startswith("{") for line in lines), lines


def test_a_killed_worker_is_replaced_and_new_connections_do_not_notice(start):
    service = start("--workers", "2", "--no-access-log")
    url = service.ready()
    load = Load(url, reuse=False)
    load.start()
    try:
        for _ in range(2):
            before = service.workers()
            assert len(before) == 2
            os.kill(before[0], signal.SIGKILL)
            service.run.wait_until(lambda before=before: len({*service.workers()} - {*before}) == 1)
            n = load.n
            service.run.wait_until(lambda n=n: load.n > n + 20)
    finally:
        load.stop()
    # A request that the killed worker held is lost with it; the load is one request at a time.
    assert len(load.failures) <= 2, load.failures
    assert load.n > 40
    died = [line for line in service.json_lines() if "died; another takes its place" in line["message"]]
    assert len(died) == 2
    status, seconds, _ = service.run.end_by(signal.SIGINT, group=True)
    assert (status, service.run.is_gone()) == (0, True)
    assert seconds < LIMIT_S


def test_a_killed_supervisor_leaves_no_worker(start):
    service = start("--workers", "2")
    service.ready()
    assert len(service.workers()) == 2
    service.run.end_by(signal.SIGKILL)
    assert service.run.is_gone(), service.run.processes()


def test_workers_add_their_metrics_and_leave_no_file(start, tmp_path):
    service = start("--workers", "2", TMPDIR=str(tmp_path))
    url = service.ready()
    (folder,) = tmp_path.glob("audioae-metrics-*")
    assert folder.stat().st_mode & 0o077 == 0, "private"
    for _ in range(20):
        assert httpx.get(f"{url}/livez").status_code == 200
    killed = service.workers()[0]
    os.kill(killed, signal.SIGKILL)
    service.run.wait_until(lambda: len(service.workers()) == 2 and killed not in service.workers())
    service.run.wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 200)
    text = httpx.get(f"{url}/metrics").text
    assert 'audioae_http_requests_total{code="200",route="/livez"} 20.0' in text
    assert f"gauge_livesum_{killed}.db" not in {path.name for path in folder.iterdir()}
    service.run.end_by(signal.SIGTERM)
    assert not list(tmp_path.glob("audioae-metrics-*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "ConfigError: --host 0.0.0.0: without keys, anybody who reaches this machine could "),
        (["--host", "no.such.host.invalid"], "ConfigError: --host no.such.host.invalid: no such address"),
        (["--index", "index@000000000000"], "DamageError: .*no version index@000000000000"),
        (["--keys-file", "/no/such/file"], "ConfigError: /no/such/file: the key file cannot be read"),
        (["--workers", "0"], "Invalid value for '--workers'"),
        (["--config", "/no/such.yaml"], "ConfigError: /no/such.yaml: no such config file"),
    ],
)
def test_what_prevents_a_start_is_one_message(start, options, message):
    service = start(*options)
    assert service.run.process.wait(60) in (1, 2)
    assert re.search(message, service.run.printed), service.run.printed
    assert "Traceback" not in service.run.printed
    assert service.run.is_gone()


def test_a_store_without_an_index_and_a_port_in_use_are_errors(start, tmp_path):
    empty = start("--store", str(tmp_path / "nothing"))
    assert empty.run.process.wait(60) == 1
    assert "StoreError: " in empty.run.printed
    assert "the store has no index yet; run the pipeline first" in empty.run.printed
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        taken = start("--port", str(port))
        assert taken.run.process.wait(60) == 1
    assert f"ConfigError: 127.0.0.1:{port}: cannot be bound (Address already in use); end what uses it" in (
        taken.run.printed
    )


def test_settings_come_from_a_file_and_options_win(start, tmp_path):
    path = tmp_path / "serve.yaml"
    path.write_text("workers: 2\nhost: 203.0.113.1\nlimits: {queue: 3}\n")
    service = start("--config", str(path), "--host", "127.0.0.1")
    service.ready()
    assert service.line()[3].startswith("2 workers")
    path.write_text("wrokers: 2\n")
    wrong = start("--config", str(path))
    assert wrong.run.process.wait(60) == 1
    assert "wrokers: unknown key; did you mean 'workers'?" in wrong.run.printed


def test_keys_are_read_again_on_sighup_and_a_malformed_file_changes_nothing(start, tmp_path):
    from audioae.serve.auth import hash_key

    path = tmp_path / "keys"
    path.write_text(f"one:{hash_key('1')}\n")
    service = start("--keys-file", str(path), "--workers", "2", "--host", "0.0.0.0")
    service.run.wait_until(lambda: "; 1 key; API at /docs" in service.run.printed)
    port = re.search(r"http://0\.0\.0\.0:(\d+)  ", service.run.printed)
    assert port

    def statuses() -> list[int]:
        """Of three keys, on enough connections to reach both workers."""
        keys = ("1", "2", "3")
        url = f"http://127.0.0.1:{port[1]}/v1/index"
        many = [[httpx.get(url, headers={"X-API-Key": key}).status_code for key in keys] for _ in range(6)]
        return many[0] if all(one == many[0] for one in many) else []

    assert statuses() == [200, 401, 401]
    path.write_text(f"two:{hash_key('2')}\nthree:{hash_key('3')}:admin\n")
    os.kill(service.run.process.pid, signal.SIGHUP)
    service.run.wait_until(lambda: statuses() == [401, 200, 200])
    path.write_text("oops\n")
    os.kill(service.run.process.pid, signal.SIGHUP)
    service.run.wait_until(lambda: service.run.printed.count("the keys stay as they were") == 2)
    assert statuses() == [401, 200, 200]
    assert "oops" not in service.run.printed


def test_a_server_needs_little_memory_and_shares_it(start):
    service = start("--workers", "2", "--no-access-log")
    url = service.ready()
    for _ in range(30):
        assert httpx.get(f"{url}/readyz").status_code == 200
    private = [_private_mib(pid) for pid in service.workers()]
    assert max(private) < 100, private


def _private_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kib) for kib in re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE)) / 1024


def test_a_slow_request_is_answered_before_the_server_ends(start):
    """A body that arrives in pieces while SIGTERM is handled."""
    service = start("--no-access-log")
    url = service.ready()
    host, port = url.removeprefix("http://").split(":")
    body = json.dumps({"seeds": [{"track_id": "t07"}]}).encode()
    with socket.create_connection((host, int(port))) as client:
        head = f"POST /v1/similar HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        client.sendall(head.encode() + b"\r\n" + body[:10])
        time.sleep(0.3)
        ended = threading.Thread(target=service.run.end_by, args=[signal.SIGTERM])
        ended.start()
        time.sleep(0.7)
        client.sendall(body[10:])
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")
        ended.join(10)
    assert service.run.is_gone()
