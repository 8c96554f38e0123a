"""Configs that do not fit, padding and cropping, normalization, and the linear autoencoder against PCA."""

from pathlib import Path

import numpy as np
import pytest
import torch

from audioae.config import load_config
from audioae.errors import ConfigError
from audioae.model import blocks
from audioae.model.autoencoder import build_model
from audioae.model.blocks import Decoder, Encoder, MelNorm, mel_db
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.head_nets import FlatHead
from audioae.model.pca import PcaModel


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bottleneck: {kind: linear}\nterms: [{kind: kl}]", "'kl' needs posterior.*'linear'"),
        ("bottleneck: {kind: vq}\nterms: [{kind: sparse_kl}]", "'sparse_kl' needs activation.*'vq'"),
        ("augment: null", "'info_nce' needs pairs.*'vq' without augment"),
        ("terms: [{kind: mse}, {kind: mse}]", "two terms are called the same"),
        ("terms: [{kind: mse, weight: 0}]", "nothing to train"),
        ("kind: pca\naugment: null", "kind pca takes no other key, got augment"),
        ("bottleneck: {kind: vq, groups: 10}", "groups must divide 128, got 10"),
        ("bottleneck: {kind: vq, code_book_size: 10}", "code_book_size"),
        ("head: {kind: transformer}", "transformer"),
        ("channels: [1, 2, 3, 4, 5]", "channels"),
    ],
)
def test_what_does_not_fit_fails_when_the_yaml_is_read(tmp_path: Path, text: str, message: str):
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(ModelConfig, path)
    assert "model.yaml" in str(caught.value)


def test_codes_and_decibels_are_the_same_input(tiny: ModelConfig, clips: ClipSet):
    model = build_model(tiny).eval()
    codes = torch.from_numpy(clips.codes[:4])
    with torch.no_grad():
        assert torch.equal(model.embed(codes), model.embed(mel_db(codes)))


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_state(tiny: ModelConfig):
    before = torch.random.get_rng_state()
    first, second, other = build_model(tiny, 3), build_model(tiny, 3), build_model(tiny, 4)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_maps_halve_and_the_latent_grid_is_8_by_9():
    maps = Encoder((16, 32, 64, 128))(torch.zeros(2, 128, 130))
    assert [tuple(m.shape[1:]) for m in maps] == [(1, 128, 144), (16, 64, 72), (32, 32, 36), (64, 16, 18), (128, 8, 9)]


def test_mels_are_standardized_per_band(clips: ClipSet):
    norm = MelNorm()
    mels = torch.from_numpy(clips.codes)
    norm.fit(mels)
    normalized = norm(mel_db(mels))
    assert normalized.mean(dim=(0, 2)).abs().max() < 1e-3
    torch.testing.assert_close(normalized.std(dim=(0, 2)), torch.ones(128), atol=1e-2, rtol=0)
    torch.testing.assert_close(norm.invert(normalized), mel_db(mels), atol=1e-3, rtol=0)


def test_a_linear_autoencoder_spans_the_principal_subspace(monkeypatch: pytest.MonkeyPatch):
    """No stages, so that encoder and decoder are one Linear each; 8 units, 8 strong directions among 8 weak ones."""
    for name, value in {"EMBEDDING_DIM": 8, "N_MELS": 16, "N_FRAMES": 13, "PADDED_FRAMES": 16}.items():
        monkeypatch.setattr(blocks, name, value)
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(16 * 13, 16, generator=generator))[0]
    strength = torch.tensor([6.0] * 8 + [1.0] * 8)
    data = (torch.randn(256, 16, generator=generator) * strength @ basis.T).view(-1, 16, 13)
    encoder, head, decoder = Encoder(()), FlatHead((), 8), Decoder(())
    optimizer = torch.optim.Adam([*head.parameters(), *decoder.parameters()], lr=5e-3)
    for _ in range(1500):
        loss = (decoder(head(encoder(data))) - data).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    learned = decoder.expand.weight.detach().view(16, 16, 8)[:, :13].reshape(-1, 8)
    principal = torch.linalg.svd(data.flatten(1) - data.flatten(1).mean(dim=0), full_matrices=False)[2][:8]
    cosines = torch.linalg.svdvals(principal @ torch.linalg.qr(learned)[0])
    assert cosines.min() > 0.999


def test_pca_finds_what_svd_finds(clips: ClipSet):
    model = PcaModel()
    model.mel_norm.fit(torch.from_numpy(clips.codes))
    rows = np.arange(len(clips.codes))
    model.fit(clips.codes, rows)
    centered = model.mel_norm(mel_db(torch.from_numpy(clips.codes))).flatten(1)
    centered = centered - centered.mean(dim=0)
    singular, directions = torch.linalg.svd(centered, full_matrices=False)[1:]
    assert (model.components[:8] @ directions[:8].T).diagonal().abs().min() > 0.999
    torch.testing.assert_close(
        (centered @ model.components[:16].T).square().sum(dim=0), singular[:16].square(), rtol=1e-3, atol=1e-2
    )
    with torch.no_grad():
        _, error = model.embed_and_score(torch.from_numpy(clips.codes))
    assert error.max() < 1e-3  # 72 clips lie in the span of 128 components
