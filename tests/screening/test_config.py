"""`ScreenConfig`: a section per check, defaults, and clear errors."""

import pytest

from audioae.config import parse_config
from audioae.errors import ConfigError
from audioae.screening.config import ScreenConfig
from audioae.screening.corrupt.config import N_FAULTS, CorruptConfig
from audioae.screening.registry import CHECKS


def checks(content: dict) -> list[str]:
    return list(parse_config(ScreenConfig, content, where="test").checks)


def test_checks_run_by_default_unless_they_are_turned_off():
    assert checks({}) == ["mislabeled", "corrupt", "duplicate"]
    assert checks({"duplicate": {}, "generated": {}, "corrupt": None}) == ["mislabeled", "generated", "duplicate"]
    assert checks(dict.fromkeys(CHECKS)) == []


def test_a_section_has_the_settings_of_its_check():
    config = parse_config(ScreenConfig, {"corrupt": {"n_sample": 5}}, where="test")
    assert config.checks["corrupt"] == CorruptConfig(n_sample=5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"duplicat": {}}, "duplicat: unknown key; did you mean 'duplicate'"),
        ({"loudness": {}}, "loudness: unknown key; known keys: corrupt, duplicate, generated, mislabeled, verdicts"),
        ({"corrupt": {"n_sampel": 5}}, r"corrupt\.n_sampel: unknown key; did you mean 'n_sample'"),
        ({"mislabeled": {"planted_share": 0.9}}, r"mislabeled\.planted_share: got 0\.9"),
        ({"corrupt": {"n_faults": N_FAULTS + 1}}, r"corrupt\.n_faults: got 17"),
    ],
)
def test_a_wrong_key_or_value_is_named(content: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        parse_config(ScreenConfig, content, where="test")
