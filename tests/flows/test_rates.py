"""Lines of progress: a rate where it says something, and when the work will be finished."""

import pytest

from audioae.flows import rates


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: now[0])
    return now


def test_rate_and_rest_are_said_every_few_seconds_and_at_the_end(clock: list[float]):
    lines: list[str] = []
    advance = rates.log_rate(lines.append, "tracks embedded")
    for seconds, done, note in ((1, 10, ""), (5, 50, "loss 3"), (6, 60, ""), (10, 100, ""), (10, 100, "")):
        clock[0] = 100 + seconds
        advance(done, 100, note)
    assert lines == ["50/100 tracks embedded, 10.0/s, ETA 5 s; loss 3", "100/100 tracks embedded, 10.0/s"]


def test_what_was_done_at_once_has_no_rate(clock: list[float]):
    lines: list[str] = []
    rates.log_rate(lines.append, "tracks placed")(176, 176)
    assert lines == ["176/176 tracks placed"]
