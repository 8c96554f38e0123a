"""The copy to keep is the one that preserves most, and each other copy has its reason."""

import pytest

from audioae.screening.duplicate.best_copy import choose_copy

GOOD = {
    "codec": "pcm_16",
    "bit_rate": 900_000,
    "sample_rate": 44_100,
    "channels": 2,
    "correlation": 0.8,
    "cutoff_hz": 20_000.0,
    "clipped_fraction": 0.0,
    "flat_fraction": 1e-4,
    "duration_s": 200.0,
}
MP3 = {**GOOD, "codec": "mpeg_layer_iii", "bit_rate": 320_000}


@pytest.mark.parametrize(
    ("better", "worse", "rule", "why"),
    [
        (GOOD, MP3, "lossless", "this copy is lossy, the kept one lossless"),
        (MP3, {**MP3, "bit_rate": 128_000}, "bit_rate", "this copy has 128 kb/s, the kept one 320 kb/s"),
        (
            MP3,
            {**GOOD, "cutoff_hz": 16_000.0},
            "cutoff_hz",
            "ends at 16,000 Hz, that of the kept one at 20,000 Hz",
        ),
        (MP3, {**GOOD, "channels": 1, "correlation": None}, "stereo", "this copy is mono"),
        (MP3, {**GOOD, "correlation": 1.0}, "stereo", "this copy is mono"),
        (MP3, {**GOOD, "flat_fraction": 0.03}, "clipped", "3.0 % of this copy is clipped, 0.0 % of the kept one"),
        (GOOD, {**GOOD, "duration_s": 199.8}, "duration_s", "this copy lasts 199.80 s, the kept one 200.00 s"),
        (
            {"cutoff_hz": None, "sample_rate": 44_100},
            {"cutoff_hz": None, "sample_rate": 32_000},
            "sample_rate",
            "this copy is sampled at 32,000 Hz",
        ),
    ],
)
def test_the_rule_that_decides_and_its_sentence(better, worse, rule, why):
    for copies, keep in (([better, worse], 0), ([worse, better], 1)):
        choice = choose_copy(copies)
        assert choice.keep == keep
        loss = choice.losses[1 - keep]
        assert loss is not None
        assert loss.rule.name == rule
        assert why in loss.why
        assert choice.losses[keep] is None


@pytest.mark.parametrize(
    "other",
    [
        GOOD,
        {},
        {**GOOD, "sample_rate": 48_000, "bit_rate": 3_000_000, "codec": "float"},  # upsampling adds nothing
        {**GOOD, "cutoff_hz": 21_000.0, "duration_s": 200.05},  # an encoder's padding, a filter's skirt
    ],
)
def test_keeps_the_first_of_the_catalog_if_no_rule_decides(other):
    for copies in ([GOOD, other], [other, GOOD]):
        choice = choose_copy(copies)
        assert choice.keep == 0
        assert choice.losses == [None, None]


def test_each_of_several_copies_is_discarded_by_its_own_rule():
    choice = choose_copy([{**MP3, "bit_rate": 128_000}, {**GOOD, "cutoff_hz": 11_000.0}, MP3, {**MP3, "channels": 1}])
    assert choice.keep == 2
    assert [loss and loss.rule.name for loss in choice.losses] == ["bit_rate", "cutoff_hz", None, "stereo"]
