"""Heads: what the modulation spectrum responds to, and which units of a fused head are learned."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from audioae.config import parse_config
from audioae.errors import ConfigError
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.blocks import mel_db
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.descriptors import DescriptorUnits
from audioae.model.fitting import fit_embedding, prepare
from audioae.model.head_nets import N_RATES, Modulation
from audioae.model.tempogram import TempoUnits
from audioae.model.weights import model_from_bytes, model_to_bytes

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


def fused(**head) -> ModelConfig:
    head = {"kind": "fused", "learned": 40, "hidden": 8, **head}
    return parse_config(ModelConfig, {"channels": [2, 4], "head": head}, where="mine.yaml")


def prepared(config: ModelConfig, n: int = 80) -> tuple[Any, torch.Tensor]:
    """An untrained model, fitted to clips, and the clips."""
    rng = np.random.default_rng(0)
    tilt = rng.integers(0, 120, (n, 128, 1))
    codes = (rng.integers(40, 130, (n, 128, 130)) + tilt).clip(0, 255).astype(np.uint8)
    clips = ClipSet(codes, np.zeros(n, np.float32), np.arange(n))
    model = build_model(config)
    assert isinstance(model, ConvAutoencoder)
    prepare(model, clips, np.arange(n), seed=0)
    model.eval()
    fit_embedding(model, clips, np.arange(n))
    return model, torch.from_numpy(codes)


@pytest.mark.parametrize(("bands", "exponent"), [(128, 0.0), (112, 0.1)])
def test_the_fixed_units_of_a_fused_head_are_those_of_the_descriptors(bands, exponent):
    model, codes = prepared(fused(bands=bands, exponent=exponent))
    db = mel_db(codes)
    with torch.no_grad():
        units = model.head(model.encoder(model.mel_norm(db)))
    wanted = DescriptorUnits(88, bands, exponent)
    wanted.fit(db)
    torch.testing.assert_close(units[:, 40:], wanted(db), rtol=1e-3, atol=1e-3)


def test_the_last_units_of_a_fused_head_say_the_tempo():
    model, codes = prepared(fused(bands=112, tempo=6, weight=0.85))
    db = mel_db(codes)
    with torch.no_grad():
        units = model.head(model.encoder(model.mel_norm(db)))
        values = model.embed(codes)
    descriptors, tempo = DescriptorUnits(82, 112), TempoUnits(6, 112)
    descriptors.fit(db)
    tempo.fit(db)
    torch.testing.assert_close(units[:, 40:122], descriptors(db), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(units[:, 122:], tempo(db), rtol=1e-3, atol=1e-3)
    size = values.square().mean(dim=0)
    assert (size[40:].mean() / size[:40].mean()).item() == pytest.approx(0.85**2, rel=1e-4), "one part"
    share = tempo(db).square().mean() / descriptors(db).square().mean()
    assert (size[122:].mean() / size[40:122].mean()).item() == pytest.approx(share.item(), rel=1e-3)
    again = model_from_bytes(model_to_bytes(model))
    with torch.no_grad():
        assert torch.equal(again.embed(codes), values)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({"tempo": 33}, r"head\.fused\.tempo"),
        ({"learned": 100, "tempo": 28}, r"learned \+ tempo must be below 128, got 100 \+ 28"),
    ],
)
def test_units_of_the_tempo_that_a_head_cannot_have(head, message):
    with pytest.raises(ConfigError, match=message):
        fused(**head)
    assert build_model(fused(learned=99, tempo=28)).state_dict()["head.fixed.projection"].shape[1] == 1


def test_what_an_encoder_cuts_off_leaves_the_fixed_units_of_the_default_as_they_are():
    pooled = {"weight": 0.85, "balanced": True, "clip_weight": "loudness", "single_weight": 1.0}
    assert ModelConfig().head == fused(learned=64, hidden=512, bands=112, exponent=0.1, tempo=6, **pooled).head
    model, codes = prepared(fused(bands=112, exponent=0.1, tempo=6))
    cut = codes.clone()
    cut[:, 112:] = 0  # the floor
    with torch.no_grad():
        before, after = (model.embed(some)[:, 40:] for some in (codes, cut))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_a_model_from_before_bands_exponent_balance_and_weights_is_what_it_was():
    old = {"kind": "fused", "learned": 64, "hidden": 512, "modulation": 16, "weight": 1.0}
    config = parse_config(ModelConfig, {"head": old}, where="config of the model")
    pooling = {"balanced": False, "clip_weight": "equal", "single_weight": None}
    values = {"bands": 128, "exponent": 0.0, "tempo": 0, **pooling}
    assert config.head == fused(learned=64, hidden=512, **values).head
    assert config.model_dump(mode="json")["head"] == old, "its hash stays, so the model is kept"
    pooled = {"weight": 0.85, "balanced": True, "clip_weight": "loudness", "single_weight": 1.0}
    today = {**old, "bands": 112, "exponent": 0.1, "tempo": 6, **pooled}
    assert ModelConfig().model_dump(mode="json")["head"] == today
    plain = {"weight": 1.0, "tempo": 0, **pooling}
    before = ModelConfig().head.model_copy(update=plain)
    assert before.model_dump(mode="json") == {**old, "bands": 112, "exponent": 0.1}
    db = before.model_copy(update={"exponent": 0.0})
    assert db.model_dump(mode="json") == {**old, "bands": 112}, "as written before there was an exponent"


@pytest.mark.parametrize("bands", [96, 108, 136])
def test_bands_that_cannot_be_described(bands):
    with pytest.raises(ConfigError, match=r"head\.fused\.bands"):
        fused(bands=bands)


def test_fixed_units_are_not_trained():
    model, codes = prepared(fused())
    before = model.head.fixed.projection.clone()
    model.train()
    losses, _ = model(codes[:8], torch.arange(4).repeat(2), torch.Generator().manual_seed(0))
    model.total(losses, 0).backward()
    moved = {name for name, value in model.named_parameters() if value.grad is not None and value.grad.abs().sum() > 0}
    assert "head.linear.weight" in moved
    assert not any("fixed" in name for name, _ in model.named_parameters())
    assert torch.equal(model.head.fixed.projection, before)


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
def test_the_weight_is_the_size_of_the_fixed_units(weight):
    model, codes = prepared(fused(weight=weight))
    with torch.no_grad():
        values = model.embed(codes)
    learned, fixed = values[:, :40].square().mean().sqrt(), values[:, 40:].square().mean().sqrt()
    assert (fixed / learned).item() == pytest.approx(weight, rel=1e-4)
    assert values.square().mean().item() == pytest.approx(1.0, rel=1e-4)


def test_a_fused_embedding_decodes_like_the_latent_it_came_from():
    model, codes = prepared(fused())
    with torch.no_grad():
        latent = model.encode(model.mel_norm(mel_db(codes[:4])))
        decoded = model.decode(model.embed(codes[:4]))
        wanted = model.mel_norm.invert(model.decoder(latent.embedding)).clamp(-80, 0)
    torch.testing.assert_close(decoded, wanted, rtol=1e-4, atol=1e-3)


def test_consistency_compares_learned_units_only():
    """Shifting the fixed units of a batch leaves the consistency term as it is."""
    model, codes = prepared(fused())
    model.train()

    def term() -> float:
        losses, _ = model(codes[:8], torch.arange(4).repeat(2), torch.Generator().manual_seed(0))
        return losses["info_nce"].item()

    before = term()
    model.head.fixed.center += torch.linspace(-5, 5, len(model.head.fixed.center))
    assert term() == pytest.approx(before, rel=1e-5)


def test_a_fused_head_is_saved_with_its_fit():
    model, codes = prepared(fused())
    again = model_from_bytes(model_to_bytes(model))
    with torch.no_grad():
        assert torch.equal(again.embed(codes[:4]), model.embed(codes[:4]))


def test_a_fused_head_does_not_fit_a_bottleneck_that_learns_variances():
    content = {"head": {"kind": "fused"}, "bottleneck": {"kind": "gaussian"}, "terms": [{"kind": "mse"}]}
    with pytest.raises(ConfigError, match=r"head fused has fixed units.*use head stats or flat"):
        parse_config(ModelConfig, content, where="mine.yaml")
