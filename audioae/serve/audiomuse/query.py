"""The query of a request in AudioMuse-AI's shape: what is malformed or not supported is a 400 that names it.

Conventions
-----------
- Truth is `true`, in any case; everything else is false, as AudioMuse-AI reads it.
- Parameters that do not exist there either are ignored, as there.
"""

import re
from collections.abc import Sequence

from fastapi import Request

from audioae.api import Library
from audioae.serve.problems import Problem
from audioae.serve.requests import service_of

MAX_LENGTH = 1000  # characters of a value


class Query:
    """A request's query, and the library that answers it.

    Attributes
    ----------
    library : Library
    namespace : str or None
    ids : ClientIds
        The client's IDs.
    """

    def __init__(self, request: Request, library: Library):
        self._parameters = request.query_params
        self.namespace = service_of(request).config.namespace
        self.library, self.ids = library, library.client_ids(self.namespace)
        server = self.text("server")
        if server and server != self.namespace:
            raise Problem(400, f"server: got {server!r}, wanted {self.namespace!r} or none")

    def track_ids(self, rows: Sequence[int]) -> list[str]:
        """The track_ids in some catalog rows."""
        column = self.library.lookup.cells.texts["track_id"]
        return [str(column[row]) for row in rows]

    def text(self, name: str) -> str:
        """The value of a parameter without spaces around it; "" without one."""
        value = self._parameters.get(name, "").strip()
        if len(value) > MAX_LENGTH:
            raise Problem(400, f"{name}: got {len(value):,} characters, wanted at most {MAX_LENGTH:,}")
        return value

    def required(self, name: str) -> str:
        """The value of a parameter that must be there."""
        if not (value := self.text(name)):
            raise Problem(400, f"Missing '{name}' parameter")
        return value

    def number(self, name: str, default: int, *, least: int = 1, most: int) -> int:
        """The value of a parameter, not below `least` and not above `most`."""
        text = self.text(name) or str(default)
        if not re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII):
            raise Problem(400, f"{name}: got {text!r}, wanted a whole number")
        return min(max(int(text), least), most)

    def flag(self, name: str, *, default: bool) -> bool:
        """Whether a parameter is true."""
        text = self.text(name)
        return text.lower() == "true" if text else default

    def refuse(self, *names: str) -> None:
        """Raise a `Problem` if one of these parameters is there."""
        for name in names:
            if self.text(name):
                raise Problem(400, f"{name}: is not supported by this server; leave it out")
