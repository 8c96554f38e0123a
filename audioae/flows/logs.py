"""Where a run's log lines go: warnings of audioae to Prefect too, and on request all lines as JSON.

Conventions
-----------
- `PrefectWarnings` sends what audioae's loggers say (warnings, unless a logger's level says more) to the log of the
  flow run. Prefect's own loggers do that by themselves.
- With `run.log_json`, each line on stderr is one JSON object: time (ISO 8601, UTC), level, run (name of the flow run),
  run_id, stage, logger and message; `error` has the traceback.
"""

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run

from audioae.errors import AudioaeError
from audioae.flows.position import POSITION


class PrefectWarnings(logging.Handler):
    """Within this context, records of the logger `audioae` go to Prefect, and warnings also into the list `warnings`.

    Parameters
    ----------
    warnings : list of str
    most : int
        How many warnings to keep; one more says that there were more.
    """

    def __init__(self, warnings: list[str], most: int):
        super().__init__()
        self._warnings, self._most = warnings, most
        self._api = APILogHandler()
        self._outermost = flow_run.id

    def __enter__(self) -> "PrefectWarnings":
        logging.getLogger("audioae").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("audioae").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record to the log of the flow run that made it; of the outermost one if another thread did."""
        message = record.getMessage()
        if record.levelno >= logging.WARNING and len(self._warnings) <= self._most:
            self._warnings.append(message if len(self._warnings) < self._most else "further warnings were left out")
        run_id = flow_run.id or self._outermost
        if run_id:
            copy = logging.makeLogRecord({**vars(record), "flow_run_id": run_id})
            self._api.handle(copy)


class JsonLines(logging.Formatter):
    """One JSON object per record."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "run": getattr(record, "flow_run_name", None) or flow_run.name,
            "run_id": str(getattr(record, "flow_run_id", None) or flow_run.id or "") or None,
            "stage": getattr(record, "flow_name", None) or POSITION.stage or None,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_as_json() -> None:
    """From now on, this process logs JSON lines on stderr, and nothing else."""
    root = logging.getLogger()
    if any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        return
    for handler in [*root.handlers]:
        if isinstance(handler, logging.StreamHandler):
            root.removeHandler(handler)
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(JsonLines())
    root.addHandler(lines)


@contextlib.contextmanager
def errors_as_json() -> Iterator[None]:
    """From now on, log JSON lines; an error of audioae that ends this context is one of them, with exit status 1."""
    log_as_json()
    try:
        yield
    except AudioaeError as error:
        logging.getLogger("audioae").error(f"{type(error).__name__}: {error}")
        raise SystemExit(1) from None
