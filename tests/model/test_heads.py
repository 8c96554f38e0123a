"""Heads: what the modulation spectrum responds to, and what it ignores."""

import math

import pytest
import torch

from audioae.config import parse_config
from audioae.errors import ConfigError
from audioae.model.autoencoder import build_model
from audioae.model.config import ModelConfig
from audioae.model.head_nets import N_RATES, Modulation

FRAMES_PER_S = 22_050 / 512


def test_modulation_spectrum_finds_the_rate_and_the_band():
    head = Modulation(16)
    seconds = torch.arange(130) / FRAMES_PER_S
    peaks = []
    for rate_hz in (1, 2, 4, 8, 16):
        mel = torch.zeros(1, 128, 130)
        mel[:, 40:48] = torch.sin(2 * math.pi * rate_hz * seconds)
        spectrum = head(mel).view(16, N_RATES)
        assert int(spectrum.amax(dim=1).argmax()) == 5
        peaks.append(int(spectrum[5].argmax()))
    assert peaks == sorted(set(peaks)), "a faster rate falls into a higher band of rates"


def test_modulation_spectrum_ignores_the_level():
    head = Modulation(8)
    mel = torch.randn(1, 128, 130, generator=torch.Generator().manual_seed(0)).cumsum(dim=2)
    torch.testing.assert_close(head(mel + 3), head(mel), rtol=1e-4, atol=1e-3)
    assert head(mel).shape == (1, 8 * N_RATES)


def test_modulation_spectrum_is_the_log_power_of_half_an_amplitude():
    """A sine of amplitude a has power (a / 2)^2 at its rate; a band that does not change has the floor, 1e-4."""
    head = Modulation(2)
    mel = torch.zeros(1, 128, 130)
    mel[:, :64] = 6 * torch.sin(2 * math.pi * torch.arange(130) / 130)
    moving, still = head(mel).view(2, N_RATES)
    assert moving[:2].exp().tolist() == pytest.approx([3**2, (3 / 2) ** 2], rel=1e-3)  # Hann: half, one rate higher
    assert still.exp().tolist() == pytest.approx([1e-4] * N_RATES, rel=1e-3)


def test_a_number_of_bands_that_does_not_divide_128_is_refused():
    with pytest.raises(ConfigError, match="modulation must divide 128, got 9"):
        parse_config(ModelConfig, {"head": {"kind": "stats", "modulation": 9}}, where="x.yaml")


def test_the_constants_of_the_modulation_spectrum_are_not_saved_with_the_weights():
    config = parse_config(ModelConfig, {"channels": [2, 4], "head": {"kind": "stats", "modulation": 16}}, where="x")
    model = build_model(config).eval()
    assert model.embed(torch.zeros(2, 128, 130, dtype=torch.uint8)).shape == (2, 128)
    assert not any("modulation" in name for name in model.state_dict())
