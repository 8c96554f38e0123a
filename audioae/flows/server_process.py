"""The process of a private Prefect server, which `flows.server` starts: it serves until its parent ends or ends it.

Convention: its arguments are sys.path as JSON, the parent's process ID, and the number of the listening socket.
"""

import socket
import sys

from audioae.audio.worker_process import end_with_parent


def serve() -> None:
    """Serve Prefect's API on an inherited socket, until the process that started this one ends."""
    parent, number = int(sys.argv[2]), int(sys.argv[3])
    if not end_with_parent(parent):
        return
    import uvicorn

    app = "prefect.server.api.server:create_app"
    config = uvicorn.Config(app, factory=True, log_level="error", lifespan="on")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=number)])
