"""Schedules against factors computed by hand."""

from audioae.model.schedules import Constant, Cyclical, Linear
from audioae.model.terms import Kl


def test_schedules_are_functions_of_the_step():
    linear = Linear(kind="linear", start=10, steps=20)
    cyclical = Cyclical(kind="cyclical", period=10, rise=0.5)
    assert [linear.at(step) for step in (0, 10, 20, 30, 99)] == [0, 0, 0.5, 1, 1]
    assert [cyclical.at(step) for step in (0, 1, 5, 9, 10, 11)] == [0, 0.2, 1, 1, 0, 0.2]
    assert Constant().at(0) == 1
    assert Kl(kind="kl", weight=4, schedule=linear).weight_at(20) == 2
