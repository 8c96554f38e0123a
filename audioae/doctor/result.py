"""The result of one check of `audioae doctor`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Result:
    """One line.

    Attributes
    ----------
    name : str
        What was checked.
    status : str
        `ok`; `warn`: a run may be slow or lack something; `fail`: a run will not work.
    found : str
    remedy : str
        What to do; empty if there is nothing to do.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.status:4} {self.name}: {self.found}{f'; {self.remedy}' if self.remedy else ''}"


def graded(name: str, value: float, warn: float, fail: float, found: str, remedy: str) -> Result:
    """A result by two limits below which `value` must not be.

    >>> str(graded("memory", 3.0, 4.0, 1.0, "3.0 GB free", "close other programs"))
    'warn memory: 3.0 GB free; close other programs'
    """
    status: Status = "fail" if value < fail else "warn" if value < warn else "ok"
    return Result(name, status, found, "" if status == "ok" else remedy)


def results_of(checks: Iterable[tuple[str, Callable[[], Iterable[Result]]]]) -> Iterator[Result]:
    """The results of several named checks; one that raises has failed."""
    for name, check in checks:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a machine is a line, not a traceback
            yield Result(name, "fail", f"{type(error).__name__}: {error}")
