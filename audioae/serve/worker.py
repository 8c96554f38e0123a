"""One worker process: opens the index, checks it, listens, and follows what the supervisor tells it.

Conventions
-----------
- It listens only once its index has answered queries of its own.
- SIGTERM: no new connections; what is in flight has `DRAIN_S` to end.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator
from functools import partial

import httptools  # noqa: F401 - uvicorn imports it by name; imported here, it is shared by the workers
import uvicorn
import uvloop

from audioae.errors import AudioaeError
from audioae.search.lazy_faiss import load_faiss
from audioae.serve.access_log import AccessLog
from audioae.serve.app import create_app
from audioae.serve.auth import VARIABLE, Keys
from audioae.serve.channel import Channel, Message
from audioae.serve.config import ServeConfig
from audioae.serve.generations import Served, load
from audioae.serve.service import Service, make_service

_log = logging.getLogger(__name__)

BACKLOG = 2048
DRAIN_S = 4.0
KEEP_ALIVE_S = 75  # longer than a reverse proxy keeps idle connections: it never sends into a closing one


def preload() -> None:
    """Import what a worker needs, so that all workers share it."""
    load_faiss()


def work(config: ServeConfig, listener: socket.socket, channel: Channel, told: Message) -> int:
    """Serve until told to end; the exit status. What prevents the start is sent as `failed`."""
    try:
        first = _open(config, told)
        keys = Keys.load(config.keys_file, os.environ.get(VARIABLE))
        listener.listen(BACKLOG)
    except AudioaeError as error:
        channel.send("failed", error=f"{type(error).__name__}: {error}")
        return 1
    except OSError as error:
        channel.send("failed", error=f"{config.host}:{config.port}: cannot be listened on ({error.strerror})")
        return 1
    service = make_service(config, first, keys)
    if told.get("pinned") is not None:
        service.generations.pinned = told["pinned"]
    log = AccessLog() if config.access_log else None
    server = _Server(
        uvicorn.Config(
            create_app(service, log),
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_S,  # pyright: ignore[reportArgumentType] - it is given to asyncio.wait_for
        )
    )
    uvloop.run(_serve(service, server, listener, channel))
    if log is not None:
        log.close()
    return 0


def _open(config: ServeConfig, told: Message) -> Served:
    """What the other workers serve; the newest, if that is gone and no index was named."""
    if index := told.get("index"):
        try:
            return load(config.store, index)
        except AudioaeError as error:
            if told.get("pinned"):
                raise
            _log.error("%s, which the others serve, cannot be opened: %s", index, error)
    return load(config.store, config.index)


class _Server(uvicorn.Server):
    """Uvicorn's server without its own handling of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(service: Service, server: _Server, listener: socket.socket, channel: Channel) -> None:
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task] = set()

    def stop() -> None:
        service.stopping = server.should_exit = True

    def begin(coroutine) -> None:
        task = loop.create_task(coroutine)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def hear() -> None:
        for message in channel.receive():
            begin(_obey(service, message))
        if channel.is_closed:
            loop.remove_reader(channel)
            stop()

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_reader(channel, hear)
    service.generations.swapped = partial(_announce, channel)
    begin(_report(server, service, channel))
    await server.serve(sockets=[listener])
    for task in tasks:
        task.cancel()


async def _report(server: _Server, service: Service, channel: Channel) -> None:
    """Tell the supervisor as soon as connections are accepted."""
    while not server.started:
        await asyncio.sleep(0.005)
    current, pinned = service.generations.current, service.generations.pinned
    channel.send("ready", index=current.names["index"], n=len(current.library), pinned=pinned)


def _announce(channel: Channel, index: str, pinned: bool) -> None:
    channel.send("swapped", index=index, pinned=pinned)


async def _obey(service: Service, message: Message) -> None:
    """Follow another worker's swap, or reload. What fails is logged by `Generations`, and the old index stays."""
    with contextlib.suppress(AudioaeError):
        if message["kind"] == "swap":
            service.reload_keys()
            await service.generations.reload(message["index"], pinned=message["pinned"], announce=False)
        elif message["kind"] == "reload":  # all workers are told
            service.reload_keys()
            before, after = await service.generations.reload(announce=False)
            if after != before:
                service.generations.swapped(after, False)
