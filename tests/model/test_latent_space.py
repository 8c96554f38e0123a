"""Places of the latent space, decoded: against the model's own methods."""

from typing import Any

import numpy as np
import pytest
import torch

from audioae.audio.mel import decode_mel
from audioae.errors import ModelError
from audioae.model.autoencoder import build_model
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.embedder import Embedder
from audioae.model.latent_grid import grid_latents
from audioae.model.latent_space import assign_codes, decode_code, decode_embeddings, decode_latents
from audioae.model.reference_models import code_counts

VAE_2D = {
    "channels": [2, 4],
    "head": {"kind": "flat"},
    "bottleneck": {"kind": "gaussian", "dim": 2},
    "terms": [{"kind": "mse"}, {"kind": "kl"}],
    "augment": None,
}
STEP_DB = 80 / 255


def embedder_of(bottleneck: dict) -> Embedder:
    terms = [{"kind": "mse"}]
    config = {"channels": [2, 4], "head": {"kind": "flat"}, "bottleneck": bottleneck, "terms": terms, "augment": None}
    model: Any = build_model(ModelConfig.model_validate(config))
    if bottleneck["kind"] == "vq":
        books = model.bottleneck.quantizer.codebooks
        books.copy_(torch.randn(books.shape, generator=torch.Generator().manual_seed(0)))
    model.embedding_norm.mean.copy_(torch.linspace(-1, 1, 128))
    model.embedding_norm.std.fill_(2.0)
    return Embedder(model, "cpu")


BOOKS = {
    "product": ({"kind": "vq", "groups": 4, "codebook_size": 8}, 4),
    "shared": ({"kind": "vq", "groups": 4, "codebook_size": 8, "shared": True}, 4),
    "residual": ({"kind": "vq", "groups": 1, "codebook_size": 8, "levels": 3}, 3),
    "both": ({"kind": "vq", "groups": 2, "codebook_size": 8, "levels": 2}, 4),
}
every_quantizer = pytest.mark.parametrize(("bottleneck", "n_books"), BOOKS.values(), ids=BOOKS)


def test_decoded_embeddings_are_the_embedders_within_a_code():
    embedder = embedder_of({"kind": "linear"})
    places = np.random.default_rng(0).standard_normal((70, 128)).astype(np.float32)
    mels = decode_embeddings(embedder, places)
    assert (mels.shape, mels.dtype) == ((70, 128, 130), np.uint8)
    assert np.abs(decode_mel(mels) - embedder.decode(places)).max() <= 0.51 * STEP_DB


@every_quantizer
def test_codes_are_those_that_the_evaluation_counts(bottleneck: dict, n_books: int, clips: ClipSet):
    embedder = embedder_of(bottleneck)
    embeddings = embedder.embed(clips.codes[:30])[0]
    codes, distances = assign_codes(embedder, embeddings)
    assert codes.shape == distances.shape == (n_books, 30)
    counts = np.stack([np.bincount(of_book, minlength=8) for of_book in codes])
    expected = code_counts(embeddings, embedder)
    assert expected is not None
    if bottleneck.get("shared"):
        counts = counts.sum(axis=0, keepdims=True)
    assert counts.tolist() == expected.reshape(counts.shape).tolist()


@every_quantizer
def test_if_all_clips_have_one_code_in_each_book_the_means_are_their_reconstruction(bottleneck: dict, n_books: int):
    embedder = embedder_of(bottleneck)
    mel = np.random.default_rng(1).integers(0, 256, (1, 128, 130)).astype(np.uint8)
    codes, _ = assign_codes(embedder, embedder.embed(mel)[0])
    counts = np.zeros((n_books, 8), np.int64)
    counts[np.arange(n_books), codes[:, 0]] = 5
    with_code, means = decode_code(embedder, counts, 1, int(codes[1, 0]))
    assert np.array_equal(with_code, means)
    assert np.abs(decode_mel(means) - embedder.reconstruct(mel)[0]).max() <= 0.6 * STEP_DB
    other = decode_code(embedder, counts, 1, int(codes[1, 0] + 1) % 8)
    assert np.array_equal(other[1], means)
    assert not np.array_equal(other[0], means)


def test_a_code_replaces_the_slice_of_its_book_only():
    embedder = embedder_of(BOOKS["product"][0])
    model: Any = embedder.model
    vectors = model.bottleneck.quantizer.codebooks[0]
    counts = np.random.default_rng(2).integers(0, 9, (4, 8))
    latent = torch.einsum("bc,bcd->bd", torch.tensor(counts / counts.sum(axis=1, keepdims=True)).float(), vectors)
    latent[2] = vectors[2, 5]
    expected = decode_latents(embedder, latent.reshape(1, 128).numpy())[0]
    assert np.abs(decode_code(embedder, counts, 2, 5)[0].astype(int) - expected).max() <= 1


def test_the_grid_goes_through_equal_shares_of_the_normal_distribution():
    grid = grid_latents(15).reshape(15, 15, 128)
    assert grid[0, 0, :2] == pytest.approx([-1.6449, 1.6449], abs=1e-4)
    assert grid[0, 14, :2] == pytest.approx([1.6449, 1.6449], abs=1e-4)
    assert grid[14, 0, :2] == pytest.approx([-1.6449, -1.6449], abs=1e-4)
    assert grid[7, 7, :2] == pytest.approx([0, 0], abs=1e-6)
    assert (np.diff(grid[0, :, 0]) > 0).all()
    assert (np.diff(grid[:, 0, 1]) < 0).all()
    assert not grid[:, :, 2:].any()


def test_a_vae_of_two_dimensions_has_no_other_units_and_its_corners_are_the_decoders(clips: ClipSet):
    embedder = Embedder(build_model(ModelConfig.model_validate(VAE_2D)), "cpu")
    embeddings = embedder.embed(clips.codes[:8])[0]
    assert embeddings.shape == (8, 128)
    assert (np.abs(embeddings).max(axis=0) > 0).tolist() == [True, True, *[False] * 126]
    mels = decode_latents(embedder, grid_latents(15))
    corner = torch.zeros(1, 128)
    corner[0, :2] = torch.tensor([1.6448536, -1.6448536])
    model: Any = embedder.model
    with torch.no_grad():
        expected = model.mel_norm.invert(model.decoder(corner)).clamp(-80, 0)[0].numpy()
    assert np.abs(decode_mel(mels[-1]) - expected).max() <= 0.51 * STEP_DB


def test_a_model_without_a_codebook_says_so():
    with pytest.raises(ModelError, match="no codebook: its bottleneck is not vq"):
        assign_codes(embedder_of({"kind": "linear"}), np.zeros((1, 128), np.float32))
