"""The main loop of a worker process of `audio.workers`: receive calls, send results.

Conventions
-----------
- A call is a pickled `(function, arguments)`. The worker answers with two pickled messages: `("started", None)` once
  the function is imported, then `("result", value or AudioError)` or `("bug", exception)`.
- A worker ends when its parent closes the connection or dies.

Why so few imports: every worker pays for them.
"""

import contextlib
import ctypes
import os
import pickle
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
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, ConnectionError):
        while True:
            for message in _answers(connection.recv_bytes()):
                connection.send_bytes(message)


def _answers(call: bytes) -> Iterator[bytes]:
    """Yield two messages: "started" once the function is imported, then "result" or "bug"."""
    try:
        function, arguments = pickle.loads(call)
        yield pickle.dumps(("started", None))
        yield pickle.dumps(("result", function(*arguments)))
    except AudioError as error:
        yield pickle.dumps(("result", error))
    except Exception as error:  # noqa: BLE001 - the caller raises it
        yield pickle.dumps(("bug", _portable(error)))


def _portable(error: Exception) -> Exception:
    """Add the traceback to the exception as a note; replace it by a RuntimeError if it cannot be pickled."""
    text = "".join(traceback.format_exception(error))
    try:
        error = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - an exception class may fail to pickle in any way
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"in a worker process:\n{text}")
    return error
