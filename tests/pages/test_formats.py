"""Numbers are short, have a true minus sign, and a dash if they do not exist."""

from typing import Any

import pytest

from audioae.pages.formats import brief, clock, interval, number


@pytest.mark.parametrize(
    ("value", "shown"), [(float("nan"), "–"), (-0.5, "−0.5"), (2_000, "2,000"), (False, "no"), (1e-7, "1e−07")]
)
def test_values_are_brief(value: Any, shown: str):
    assert brief(value) == shown


def test_missing_numbers_are_a_dash_and_missing_bounds_nothing():
    assert number(float("nan")) == number(None) == "–"
    assert interval(0.1, None) == interval(float("nan"), 1.0) == ""


def test_seconds_are_rounded_before_they_become_minutes():
    assert [clock(seconds) for seconds in (0, 9.94, 119.97, 3601)] == ["0:00.0", "0:09.9", "2:00.0", "60:01.0"]
