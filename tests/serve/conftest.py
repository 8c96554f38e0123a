"""Real servers over made stores: in a thread for questions, in processes of their own for signals (`serving.py`)."""

from collections.abc import Callable, Iterator

import pytest

from audioae.serve.auth import Keys, hash_key
from tests.explore.made_map import add_map
from tests.serve.serving import Server, catalog_store, in_thread
from tests.stores import random_weights

READ_KEY, ADMIN_KEY = "a key that reads", "a key that may do more"
KEYS = Keys.parse(f"reader:{hash_key(READ_KEY)}\nadmin:{hash_key(ADMIN_KEY)}:admin", "tests")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without keys over a made catalog of 60 tracks: `.url`, `.library`, `.store`, `.service`."""
    with in_thread(catalog_store(tmp_path_factory.mktemp("served"))) as server:
        yield server


@pytest.fixture(scope="module")
def locked(served: Server) -> Iterator[Server]:
    """A server over the same catalog that wants a key: READ_KEY or ADMIN_KEY."""
    with in_thread(served.store, keys=KEYS) as server:
        yield server


@pytest.fixture(scope="module")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose store has a model, so that it embeds uploaded files, and a map; no two files at a time."""
    store = catalog_store(tmp_path_factory.mktemp("embedding"), model=random_weights())
    add_map(store)
    with in_thread(store, decoders=1) as server:
        yield server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start a server with settings of its own: `serve(store, keys=..., follow_s=1.0, ...)`."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda store, **settings: stack.enter_context(in_thread(store, **settings))
