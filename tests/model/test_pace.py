"""How long training will take: said once, after the first steps, from their time."""

import pytest

from audioae.model import pace
from audioae.model.pace import Pace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds; set its only element."""
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


def said(clock: list[float], first: int, last: int, seconds: float, **more: float) -> list[str]:
    """What is said in a run whose first step takes a minute, and every other one `seconds`."""
    lines: list[str] = []
    timer = Pace(lines.append, first, last, **more)
    for step in range(first + 1, last + 1):
        clock[0] += 60.0 if step == first + 1 else seconds
        timer.after(step)
    return lines


def test_the_estimate_is_from_the_steps_after_the_first_one(clock: list[float]):
    assert said(clock, 0, 206, 3.0) == ["training: 200 more steps take about 10 min at the pace of the first ones"]
    assert said(clock, 100, 146, 0.5) == ["training: 40 more steps take about 20 s at the pace of the first ones"]
    assert said(clock, 0, 7_206, 3.0)[0].startswith("training: 7,200 more steps take about 6.0 h at")


def test_a_limit_of_time_is_an_upper_bound(clock: list[float]):
    line = "training: at most 5 min (train.max_minutes); all 200 steps that are left take about 10 min"
    assert said(clock, 0, 206, 3.0, max_minutes=5.0) == [f"{line} at the pace of the first ones"]
    assert "max_minutes" not in said(clock, 0, 206, 3.0, max_minutes=11.0)[0]


def test_nothing_is_said_where_the_first_steps_are_all(clock: list[float]):
    assert said(clock, 0, 6, 1.0) == []
