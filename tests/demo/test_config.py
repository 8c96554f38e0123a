"""The settings of the demo catalog."""

import pytest

from audioae.demo.config import SynthConfig


def test_a_reversed_range_of_durations_is_refused():
    with pytest.raises(ValueError, match="min_s 40 is above max_s 30"):
        SynthConfig(min_s=40)
