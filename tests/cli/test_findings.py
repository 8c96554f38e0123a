"""What the overview of findings shows first."""

from audioae.cli.findings import _figures


def test_figures_of_the_whole_come_before_those_of_its_parts():
    measured = {"types": {"hum": {"seen": 0.5}}, "seen": 0.9, "note": "a sentence"}
    assert _figures(measured) == ["seen 0.9", "types hum seen 0.5"]
