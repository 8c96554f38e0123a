"""Pooling: the mean of a track's clips, and the length of each part of it."""

import numpy as np
import pytest

from audioae.errors import ModelError
from audioae.model.autoencoder import build_model
from audioae.model.config import ModelConfig
from audioae.model.embedder import Embedder
from audioae.model.heads import FusedHeadConfig
from audioae.model.pooling import pool_track, pool_tracks, to_unit

PARTS = ((64, 1.0), (64, 0.85))


def clips(n: int, seed: int = 0) -> np.ndarray:
    """Clips whose learned units differ much and whose descriptors differ little."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(0.1, 1, (n, 64)), rng.normal(1, 0.1, (n, 64))], axis=1).astype(np.float32)


def test_a_track_embedding_is_the_normalized_mean_of_its_clips():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(1, 1, (5, 128)).astype(np.float32)
    track, spread = pool_track(embeddings)
    mean = embeddings.mean(axis=0)
    np.testing.assert_allclose(track, mean / np.linalg.norm(mean), rtol=1e-5)
    cosines = embeddings @ track / np.linalg.norm(embeddings, axis=1)
    assert spread == pytest.approx(1 - cosines.mean(), rel=1e-4)
    assert track.dtype == np.float32
    np.testing.assert_allclose(pool_track(embeddings[::-1])[0], track, atol=1e-6)
    with pytest.raises(ModelError, match="pool_track"):
        pool_track(embeddings[:0])


def test_clips_that_cancel_out_pool_to_a_finite_embedding():
    track, spread = pool_track(np.stack([np.ones(128), -np.ones(128)]).astype(np.float32))
    assert np.isfinite(track).all()
    assert np.isfinite(spread)


def test_the_parts_of_a_track_have_lengths_in_proportion_to_their_weights():
    embeddings = clips(20)
    plain, spread = pool_track(embeddings)
    track, same_spread = pool_track(embeddings, PARTS)
    assert same_spread == spread
    assert np.linalg.norm(plain[64:]) / np.linalg.norm(plain[:64]) > 3
    assert np.linalg.norm(track[64:]) / np.linalg.norm(track[:64]) == pytest.approx(0.85, rel=1e-5)
    assert np.linalg.norm(track) == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(
        track[:64] * np.linalg.norm(plain[:64]), plain[:64] * np.linalg.norm(track[:64]), atol=1e-6
    )


def test_the_cosine_of_tracks_is_the_weighted_mean_of_their_parts_cosines():
    one, other = (pool_track(clips(5, seed), PARTS)[0] for seed in (1, 2))
    learned, fixed = (to_unit(one[None, part]) @ to_unit(other[None, part]).T for part in (slice(64), slice(64, 128)))
    assert one @ other == pytest.approx(((learned + 0.85**2 * fixed) / (1 + 0.85**2)).item(), abs=1e-6)


def test_a_part_of_zeros_stays_zero_and_finite():
    embeddings = clips(3)
    embeddings[:, 64:] = 0
    track, _ = pool_track(embeddings, PARTS)
    assert np.isfinite(track).all()
    assert not track[64:].any()
    assert np.linalg.norm(track) == pytest.approx(1, rel=1e-6)


def test_tracks_are_pooled_as_each_alone():
    embeddings, track = clips(9), np.array([2, 0, 1, 2, 2, 0, 1, 1, 1])
    vectors, spreads = pool_tracks(embeddings, track, PARTS)
    for number in range(3):
        vector, spread = pool_track(embeddings[track == number], PARTS)
        np.testing.assert_array_equal(vectors[number], vector)
        assert spreads[number] == spread


@pytest.mark.parametrize(
    ("head", "parts"),
    [
        (ModelConfig().head, PARTS),
        (FusedHeadConfig(kind="fused", learned=40, weight=2.0, balanced=True), ((40, 1.0), (88, 2.0))),
        (FusedHeadConfig(kind="fused", learned=40, weight=2.0), ()),
        ({"kind": "stats", "modulation": 16}, ()),
    ],
)
def test_an_embedder_pools_as_its_head_says(head, parts):
    model = build_model(ModelConfig.model_validate({"channels": (2, 2), "head": head}))
    embedder = Embedder(model, "cpu", threads=1)
    assert embedder.parts == parts
    track, spread = embedder.pool(clips(4))
    expected, expected_spread = pool_track(clips(4), parts)
    np.testing.assert_array_equal(track, expected)
    assert spread == expected_spread
