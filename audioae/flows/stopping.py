"""SIGINT and SIGTERM end a run at once, with one line that says where it stopped.

Conventions
-----------
- The flow runs in a thread of its own. The main thread only waits, so it answers a signal whatever the flow is doing.
- The process ends within 5 s, with exit status 130 (SIGINT) or 143 (SIGTERM); a second signal ends it immediately.
- Parts are written whole or not at all, so only unfinished parts are lost. Linux kills the workers and the private
  server with this process.

Why no KeyboardInterrupt: it ends the flow only after its running tasks, prints a traceback for each, and makes a killed
decoder look like a bad file.
"""

import contextlib
import contextvars
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from audioae.flows.position import POSITION

Value = TypeVar("Value")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LIMIT_S = 2.0  # for counting what is done, and for telling Prefect and the store


@contextlib.contextmanager
def ends_at_a_signal() -> Iterator[None]:
    """Within this context, SIGINT and SIGTERM end the process, unless they were ignored before (as by nohup).

    Does nothing outside of the main thread, which alone can handle signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_a_thread(function: Callable[..., Value], *arguments: Any) -> Value:
    """Call `function` in a thread of its own, in this context, and wait; a signal interrupts the wait."""
    return _start(function, *arguments).result()


def _start(function: Callable[..., Value], *arguments: Any) -> "Future[Value]":
    future: Future[Value] = Future()
    context = contextvars.copy_context()

    def call() -> None:
        try:
            future.set_result(context.run(function, *arguments))
        except BaseException as error:  # noqa: BLE001 - raised where the result is fetched
            future.set_exception(error)

    threading.Thread(target=call, name=f"audioae-{function.__name__}", daemon=True).start()
    return future


def _stop(number: int, _frame: object) -> None:
    for each in SIGNALS:
        signal.signal(each, _exit)
    logging.disable(logging.CRITICAL)
    stage, done = POSITION.stage, _within_limit(POSITION.done)
    line = f"stopped in {stage}{f', {done}' if done else ''}; run the same command to go on\n"
    os.write(2, line.encode())
    if POSITION.flow_runs:
        wait([_start(tell, line.strip()) for tell in (_tell_prefect, _tell_store)], LIMIT_S)
    _exit(number)


def _exit(number: int, _frame: object = None) -> None:
    os._exit(128 + number)


def _within_limit(function: Callable[..., Value], *arguments: Any) -> Value | None:
    """The result, or None if it fails or takes too long: the process ends anyway."""
    with contextlib.suppress(Exception):
        return _start(function, *arguments).result(LIMIT_S)
    return None


def _tell_store(message: str) -> None:
    """Record the run as stopped in its store."""
    from audioae.flows.reporting import record_stopped

    record_stopped(message)


def _tell_prefect(message: str) -> None:
    """Mark the flow runs that are not over as crashed; else the server shows them as running for ever."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.states import Crashed

    running = {"id": {"any_": POSITION.flow_runs}, "state": {"type": {"any_": ["RUNNING", "PENDING"]}}}
    with get_client(httpx_settings={"timeout": LIMIT_S}, sync_client=True) as client:
        for flow_run in client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(running)):
            client.set_flow_run_state(flow_run.id, Crashed(message=message), force=True)
