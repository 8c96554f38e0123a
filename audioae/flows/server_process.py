"""The process of a private Prefect server, which `flows.server` starts: it serves until its parent ends or ends it.

Convention: its arguments are sys.path as JSON, the parent's process ID, and the number of the listening socket.
"""

import ctypes
import os
import signal
import socket
import sys

_PR_SET_PDEATHSIG = 1


def serve() -> None:
    """Serve Prefect's API on an inherited socket. Linux kills this process with the thread that started it."""
    parent, number = int(sys.argv[2]), int(sys.argv[3])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    import uvicorn

    app = "prefect.server.api.server:create_app"
    config = uvicorn.Config(app, factory=True, log_level="error", lifespan="on")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=number)])
