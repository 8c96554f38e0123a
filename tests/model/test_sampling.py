"""Latents drawn from a VAE's prior and from shares of codes; samples of small trained models."""

import numpy as np
import pytest
import torch

from audioae.constants import EMBEDDING_DIM
from audioae.errors import ModelError
from audioae.metrics.frechet import frechet_distance
from audioae.model.autoencoder import build_model
from audioae.model.bottleneck_nets import VqBottleneck
from audioae.model.config import ModelConfig
from audioae.model.embedder import Embedder
from audioae.model.latent_space import assign_codes, decode_latents
from audioae.model.sampling import draw_latents
from audioae.model.train_config import TrainConfig
from audioae.model.training import fit
from tests.model.conftest import make_clips

NONE = np.zeros((0, EMBEDDING_DIM), np.float32)
SMALL = {"channels": (4, 8, 8, 16), "head": {"kind": "flat"}, "augment": None}


def embedder_of(**config) -> Embedder:
    return Embedder(build_model(ModelConfig.model_validate({**SMALL, "terms": [{"kind": "mse"}], **config})), "cpu")


@pytest.mark.parametrize("dim", [2, EMBEDDING_DIM])
def test_the_prior_of_a_vae_is_standard_normal_in_its_own_units(dim: int):
    latents = draw_latents(embedder_of(bottleneck={"kind": "gaussian", "dim": dim}), 2_000, NONE)
    assert latents.shape == (2_000, EMBEDDING_DIM)
    np.testing.assert_allclose(latents[:, :dim].mean(axis=0), 0, atol=0.12)
    np.testing.assert_allclose(latents[:, :dim].std(axis=0), 1, atol=0.1)
    assert not latents[:, dim:].any()


@pytest.mark.parametrize("quantizer", [{"groups": 4}, {"groups": 2, "levels": 3}, {"groups": 4, "shared": True}])
def test_codes_are_drawn_by_their_shares_book_by_book(quantizer: dict):
    embedder = embedder_of(bottleneck={"kind": "vq", "codebook_size": 8, **quantizer})
    model = embedder.model
    assert isinstance(model.bottleneck, VqBottleneck)
    books = model.bottleneck.quantizer
    books.codebooks.normal_(generator=torch.Generator().manual_seed(0))
    clips = np.random.default_rng(0).standard_normal((40, EMBEDDING_DIM)).astype(np.float32)
    codes, _ = assign_codes(embedder, clips)

    # A latent that is drawn has in every book a code that clips have: it is a sum of their vectors.
    drawn = draw_latents(embedder, 400, clips, seed=1)
    vectors = books.books().numpy()  # (levels, groups, size, dim)
    if len(vectors) == 1:
        for book in range(books.groups):
            part = np.split(drawn, books.groups, axis=1)[book]
            chosen = np.abs(part[:, None] - vectors[0, book]).sum(axis=2).argmin(axis=1)
            np.testing.assert_allclose(part, vectors[0, book, chosen], atol=1e-6)
            shares = np.bincount(chosen, minlength=8) / 400
            expected = np.bincount(codes[book], minlength=8) / 40
            np.testing.assert_allclose(shares, expected, atol=0.1)
    else:
        used = [vectors[level, 0][np.unique(codes[level * 2])] for level in range(3)]
        sums = (used[0][:, None, None] + used[1][None, :, None] + used[2][None, None]).reshape(-1, EMBEDDING_DIM // 2)
        gap = np.abs(drawn[:, None, : EMBEDDING_DIM // 2] - sums).max(axis=2).min(axis=1)
        assert gap.max() < 1e-5
    assert np.array_equal(drawn, draw_latents(embedder, 400, clips, seed=1))
    assert not np.array_equal(drawn, draw_latents(embedder, 400, clips, seed=2))


def test_samples_of_a_small_trained_model_are_closer_to_the_clips_than_noise():
    clips = make_clips(clips_per_track=2)
    bottleneck = {"kind": "vq", "groups": 4, "codebook_size": 16}
    terms = [{"kind": "mse"}, {"kind": "commitment", "weight": 0.25}]
    config = ModelConfig.model_validate({**SMALL, "bottleneck": bottleneck, "terms": terms})
    train = TrainConfig(steps=160, batch_size=12, warmup=5, learning_rate=4e-3, validate_every=1000, accelerator="cpu")
    embedder = Embedder(fit(config, train, clips).model, "cpu")
    own = embedder.embed(clips.codes)[0]
    mels = decode_latents(embedder, draw_latents(embedder, len(own), own))
    noise = np.random.default_rng(0).integers(0, 256, mels.shape).astype(np.uint8)
    drawn, far = (frechet_distance(own, embedder.embed(codes)[0]) for codes in (mels, noise))
    assert drawn < 0.5 * far


def test_models_without_a_prior_are_refused():
    with pytest.raises(ModelError, match="the bottleneck linear has nothing to draw from; train a vae or a vqvae"):
        draw_latents(embedder_of(bottleneck={"kind": "linear"}), 4, NONE)
