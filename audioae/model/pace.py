"""How long training will take: said once, after the first steps, from their time.

Conventions
-----------
- The first step of a run is not counted: it allocates memory and may compile.
- Only the steps are estimated. Validation comes on top, and an early stop is not foreseen.
"""

import time
from collections.abc import Callable
from typing import SupportsFloat

TRIAL = 5  # steps that are timed


class Pace:
    """Times the steps from `first` + 2 on, and says how long the remaining ones up to `last` take.

    Parameters
    ----------
    say : callable or None
    first, last : int
        Step that the run begins after, and step that it ends with.
    max_minutes : float, optional
        Limit of the whole run.
    """

    def __init__(self, say: Callable[[str], None] | None, first: int, last: int, max_minutes: float | None = None):
        self.say, self.last, self.max_minutes = say, last, max_minutes
        self._start, self._end = first + 1, first + 1 + TRIAL
        self._started = 0.0

    def after(self, step: int, loss: SupportsFloat = 0.0) -> None:
        """Note that `step` was made. Reading its loss waits for a GPU, which works behind the program."""
        if self.say is None or step not in (self._start, self._end) or self.last <= self._end:
            return
        float(loss)
        if step == self._start:
            self._started = time.monotonic()
            return
        left = self.last - step
        seconds = (time.monotonic() - self._started) / TRIAL * left
        estimate = f"take about {_words(seconds)} at the pace of the first ones"
        if self.max_minutes is not None and seconds > 60 * self.max_minutes:
            most = f"at most {_words(60 * self.max_minutes)} (train.max_minutes)"
            self.say(f"training: {most}; all {left:,} steps that are left {estimate}")
        else:
            self.say(f"training: {left:,} more steps {estimate}")


def _words(seconds: float) -> str:
    """A duration for people.

    >>> _words(89), _words(90), _words(5399), _words(5400)
    ('89 s', '2 min', '90 min', '1.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
