"""Messages between the supervisor and its workers: JSON, one a line, over a pair of sockets.

Conventions
-----------
- A worker sends `ready`, `failed` (with `error`) and `swapped` (with `index` and `pinned`); the supervisor sends `swap`
  (the same) and `reload`.
- A closed channel means that the other side has ended.
"""

import contextlib
import json
import socket
from typing import Any

Message = dict[str, Any]
_BLOCK = 65536


class Channel:
    """One end of a connection. It never blocks: what the other side does not read for long is lost."""

    def __init__(self, end: socket.socket):
        self._socket = end
        self._socket.setblocking(False)
        self._buffer = b""
        self.is_closed = False

    @classmethod
    def pair(cls) -> tuple["Channel", "Channel"]:
        ours, theirs = socket.socketpair()
        return cls(ours), cls(theirs)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, kind: str, **fields: Any) -> None:
        """Send one message; nothing happens if the other side has ended."""
        with contextlib.suppress(OSError):
            self._socket.send(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    def receive(self) -> list[Message]:
        """All messages that have arrived."""
        try:
            while block := self._socket.recv(_BLOCK):
                self._buffer += block
            self.is_closed = True
        except BlockingIOError:
            pass
        except OSError:
            self.is_closed = True
        *lines, self._buffer = self._buffer.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        self._socket.close()
