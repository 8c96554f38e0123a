"""The assembled model: its input, its seed, and a linear autoencoder against PCA."""

import pytest
import torch

from audioae.model import blocks
from audioae.model.autoencoder import build_model
from audioae.model.blocks import Decoder, Encoder, mel_db
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.head_nets import FlatHead


def test_codes_and_decibels_give_the_same_embeddings(tiny: ModelConfig, clips: ClipSet):
    model = build_model(tiny).eval()
    codes = torch.from_numpy(clips.codes[:4])
    with torch.no_grad():
        assert torch.equal(model.embed(codes), model.embed(mel_db(codes)))


def test_the_seed_decides_the_weights_and_the_global_random_state_is_unchanged(tiny: ModelConfig):
    before = torch.random.get_rng_state()
    first, second, other = build_model(tiny, 3), build_model(tiny, 3), build_model(tiny, 4)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_a_linear_autoencoder_spans_the_principal_subspace(monkeypatch: pytest.MonkeyPatch):
    """Without stages, encoder and decoder are one linear layer each; the data has 8 strong and 8 weak directions."""
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
