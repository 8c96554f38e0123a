"""The main loop of a worker process of `audio.workers`: receive calls, send results.

Conventions
-----------
- A call is a pickled `(function, arguments, memory_mb, prepare)`. The worker answers with two pickled messages:
  `("started", None)` once the function is imported and `prepare(*arguments)`, if there is one, has returned; then
  `("result", value or AudioError)` or `("bug", exception)`.
- A call that finds no memory is an `AudioError` "out_of_memory". With `memory_mb`, it gets that much more than the
  process had before the call (Linux only).
- A worker ends when its parent closes the connection or dies.

Why RLIMIT_DATA: it counts what a process may write (its heap and private memory), so that a call that asks for too much
gets a MemoryError and the process goes on. RLIMIT_AS also counts libraries, mapped files and memory that is only
reserved, which is gigabytes for some libraries; and watching the resident memory from outside is always late.

Why so few imports: every worker pays for them.
"""

import contextlib
import ctypes
import os
import pickle
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection

from audioae.errors import AudioError

_PR_SET_PDEATHSIG = 1


def serve() -> None:
    """Answer calls until the parent closes the connection. `audio.workers` runs this in a process of its own."""
    parent, descriptor = int(sys.argv[2]), int(sys.argv[3])
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # they reach the whole process group; the parent decides
        signal.signal(number, signal.SIG_IGN)
    if not end_with_parent(parent):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, ConnectionError):
        while True:
            for message in _answers(connection.recv_bytes()):
                connection.send_bytes(message)


def end_with_parent(parent: int) -> bool:
    """Have Linux kill this process with the thread that started it; False if `parent`, its process, is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def _answers(call: bytes) -> Iterator[bytes]:
    """Yield two messages: "started" once the function can be called, then "result" or "bug"."""
    try:
        function, arguments, memory_mb, prepare = pickle.loads(call)  # nosec B301 - written by the parent
        if prepare:
            prepare(*arguments)
        yield pickle.dumps(("started", None))
        with _limited(memory_mb):
            result = function(*arguments)
        yield pickle.dumps(("result", result))
    except AudioError as error:
        yield pickle.dumps(("result", error))
    except MemoryError:
        detail = f"it needed more than {memory_mb} MB of memory" if memory_mb else "there was not enough memory for it"
        yield pickle.dumps(("result", AudioError("out_of_memory", detail)))
    except Exception as error:  # noqa: BLE001 - the caller raises it
        yield pickle.dumps(("bug", _portable(error)))


@contextlib.contextmanager
def _limited(memory_mb: int | None) -> Iterator[None]:
    """Limit the memory of this process to what it has now and `memory_mb` more, if that is not None."""
    if memory_mb is None or sys.platform != "linux":
        yield
        return
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[5])  # data and stack
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = pages * resource.getpagesize() + (memory_mb << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _portable(error: Exception) -> Exception:
    """Add the traceback to the exception as a note; replace it by a RuntimeError if it cannot be pickled."""
    text = "".join(traceback.format_exception(error))
    try:
        error = pickle.loads(pickle.dumps(error))  # nosec B301 - of this process
    except Exception:  # noqa: BLE001 - an exception class may fail to pickle in any way
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"in a worker process:\n{text}")
    return error
