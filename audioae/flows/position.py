"""Where the run of this process is: the flow that runs, and how much of it is done.

Convention: Prefect logs the beginning of every flow run with its ID and its flow's name, and `Position` is a filter of
these logs. So no flow has to say where it is, and a deployed flow needs nothing of this.
"""

import logging
from collections.abc import Callable


class Position(logging.Filter):
    """The flow that began last, the IDs of all flow runs, and what is done of the current stage.

    Parameters
    ----------
    stage : str
        Name of the flow until the first one begins.
    """

    def __init__(self, stage: str = ""):
        super().__init__()
        self.begin(stage)

    def begin(self, stage: str) -> None:
        """Start again, at the flow `stage`."""
        self.stage = stage
        self.flow_runs: list[str] = []
        self.count()

    def count(self, done: Callable[[], str] | None = None) -> None:
        """Say what is done by calling `done`; by default, by what `advance` was told last."""
        self._counted, self._advanced = done, ""

    def advance(self, done: int, total: int, unit: str) -> None:
        """Note what is done of the current stage."""
        self._advanced = f"{done:,} of {total:,} {unit}"

    def done(self) -> str:
        """What is done of the current stage; empty if nothing is known."""
        return self._counted() if self._counted else self._advanced

    def filter(self, record: logging.LogRecord) -> bool:
        """Note the flow runs that begin; let every record pass."""
        flow_run = getattr(record, "flow_run_id", None)
        if flow_run and flow_run not in self.flow_runs:
            self.flow_runs.append(flow_run)
            self.stage = getattr(record, "flow_name", self.stage)
            self.count()
        return True


POSITION = Position()
