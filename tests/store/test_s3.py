"""An S3 server that does not answer, and a bucket that is not there."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from audioae.errors import StoreError
from audioae.store import s3
from audioae.store.dataset import Store
from audioae.store.storage import Storage
from tests.store.made import commit, rejects


@pytest.fixture
def silent_server() -> Iterator[tuple[str, list[float]]]:
    """The address of a server that accepts connections and never says a word, and the times of the connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        times: list[float] = []
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return
                times.append(time.monotonic())

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", times
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for connection in kept:
            connection.close()


@pytest.mark.parametrize("call", [lambda storage: storage.exists("a"), lambda storage: storage.write("a", b"1")])
def test_a_silent_server_is_given_up(
    s3_server: str, silent_server, monkeypatch: pytest.MonkeyPatch, call: Callable[[Storage], object]
):
    address, connections = silent_server
    monkeypatch.setattr(s3, "TIMEOUT_S", 1.0)
    storage = Storage(f"s3://bucket/store?endpoint_override={address}&scheme=http")
    start = time.monotonic()
    with pytest.raises(StoreError, match=r"s3://bucket/store/a: no answer from the server after 3 attempts, given up"):
        call(storage)
    assert len(connections) == s3.ATTEMPTS == 3
    assert 2.5 < time.monotonic() - start < 30


def test_the_timeout_is_ten_seconds():
    filesystem, _ = s3.open_s3("s3://bucket/store?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1")
    (options,) = filesystem.__reduce__()[1]
    assert (options["connect_timeout"], options["request_timeout"]) == (10.0, 10.0)
    assert (options["endpoint_override"], options["scheme"], options["region"]) == ("127.0.0.1:9", "http", "us-east-1")


def test_a_missing_bucket_is_named(s3_root: str):
    store = Store(s3_root.replace("s3://", "s3://no-"))
    address = store.storage.locate("")
    uses = (
        lambda: store.latest("rejects"),
        lambda: store.require("rejects"),
        lambda: store.write_part("rejects", "a", rejects("t1")),
        lambda: commit(store, a=("t1",)),
    )
    for use in uses:
        with pytest.raises(StoreError, match=rf"{address}.*: no such bucket; create it, or check its name, the endp"):
            use()


def test_an_empty_bucket_is_an_empty_store(s3_root: str):
    assert Store(s3_root).latest("rejects") is None
