"""Servers for tests: a catalog worth asking, and a server over it in a thread of this process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from audioae.api import Library
from audioae.serve.auth import Keys
from audioae.serve.config import ServeConfig
from audioae.serve.service import Service
from audioae.store.dataset import Store
from tests.stores import made_store

N = 60
COPIES = {30: 3, 31: 3, 40: 10}  # re-encoded
SAME_BYTES = {50: 5, 51: 10}
REJECTED = (57, 58)
PENDING = (59,)
START_S = 60.0


def catalog_store(folder: Path, n: int = N, *, model: bytes = b"") -> Store:
    """60 tracks "t00" ... with copies, exact duplicates, rejects, labels, albums, years and dates."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    columns = {
        "album": [f"album {i % 7}" if i % 5 else None for i in range(n)],
        "year": [1980 + i % 40 if i % 6 else None for i in range(n)],
        "added_at": [first + timedelta(days=i) for i in range(n)],
    }
    chosen: dict[str, Any] = {"copies": COPIES, "same_bytes": SAME_BYTES, "rejected": REJECTED, "pending": PENDING}
    return made_store(folder / "store", n, columns=columns, model=model, **(chosen if n == N else {}))


@dataclass(frozen=True)
class Server:
    """A running server; `library` is opened separately, to compare its answers with."""

    url: str
    store: Store
    library: Library
    service: Service

    def client(self, key: str | None = None) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"X-API-Key": key} if key else {}, timeout=60)


@contextmanager
def in_thread(
    store: Store, *, keys: Keys | None = None, access_log_to: Any = None, **settings: Any
) -> Iterator[Server]:
    """Serve a store from a thread of this process, on a free port, until the block ends."""
    import uvicorn

    from audioae.serve.app import create_app
    from audioae.serve.generations import load
    from audioae.serve.service import make_service

    config = ServeConfig(store=store.root, port=0, **settings)
    service = make_service(config, load(config.store, config.index), keys or Keys())
    app = create_app(service, access_log_to)
    server = uvicorn.Server(
        uvicorn.Config(app, "127.0.0.1", 0, loop="uvloop", http="httptools", log_config=None, access_log=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started:
        assert thread.is_alive(), "the server ended at its start"
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Server(f"http://127.0.0.1:{port}", store, Library(store), service)
    finally:
        server.should_exit = True
        thread.join(START_S)
        assert not thread.is_alive(), "the server did not end"
