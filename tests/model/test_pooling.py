"""Pooling: the mean of a track's clips, what each of them counts, and the length of each part."""

import numpy as np
import pytest

from audioae.errors import ModelError
from audioae.model.autoencoder import build_model
from audioae.model.config import ModelConfig
from audioae.model.embedder import Embedder
from audioae.model.extra import Extra, Fusion
from audioae.model.heads import ClipWeight, FusedHeadConfig
from audioae.model.pooling import loudness, mean_clip, pool_track, to_unit

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


def test_a_clip_that_is_heard_twice_as_loud_counts_twice():
    weights = loudness(np.array([-40.0, -30.0, -20.0]))
    assert weights[1:] / weights[:-1] == pytest.approx([2, 2], rel=0.005)
    np.testing.assert_allclose(weights, loudness(np.array([-60.0, -50.0, -40.0])), rtol=1e-12)  # a gain
    assert loudness(np.array([-1000.0, -100.0, 0.0])).tolist() == pytest.approx([10**-1.8, 10**-1.8, 1])
    assert loudness(np.array([-100.0, -100.0])).tolist() == [1, 1]


def test_clips_count_by_their_weights_and_the_spread_does_not_change():
    embeddings, weights = clips(3), np.array([1.0, 0.5, 0.0])
    mean = (embeddings[0] + embeddings[1] / 2) / 1.5
    np.testing.assert_allclose(mean_clip(embeddings, weights), mean, atol=1e-6)
    track, spread = pool_track(embeddings, PARTS, weights)
    np.testing.assert_allclose(track, to_unit(mean[None], PARTS)[0], atol=1e-6)
    assert spread == pool_track(embeddings)[1]
    np.testing.assert_array_equal(pool_track(embeddings, PARTS, np.full(3, 0.3))[0], pool_track(embeddings, PARTS)[0])


@pytest.mark.parametrize(
    ("head", "parts", "single", "by_loudness"),
    [
        (ModelConfig().head, PARTS, ((64, 1.0), (64, 1.0)), True),
        (FusedHeadConfig(kind="fused", learned=40, weight=2.0, balanced=True), *2 * [((40, 1.0), (88, 2.0))], False),
        (FusedHeadConfig(kind="fused", learned=40, weight=2.0, single_weight=3.0), (), (), False),
        ({"kind": "stats", "modulation": 16}, (), (), False),
        ({"kind": "flat"}, (), (), False),
    ],
)
def test_an_embedder_pools_as_its_head_says(head, parts, single, by_loudness):
    model = build_model(ModelConfig.model_validate({"channels": (2, 2), "head": head}))
    embedder = Embedder(model, "cpu", threads=1)
    level_db = np.array([-10.0, -20.0, -30.0, -90.0])
    track, spread = embedder.pool(clips(4), level_db)
    weights = 10 ** (np.array([0.0, -3.0, -6.0, -18.0]) / 10) if by_loudness else np.ones(4)
    expected, expected_spread = pool_track(clips(4), parts, weights)
    np.testing.assert_array_equal(track, expected)
    assert spread == expected_spread
    np.testing.assert_array_equal(embedder.pool(clips(1), level_db[:1])[0], to_unit(clips(1), single)[0].astype("f4"))
    with pytest.raises(ModelError, match="pool_track"):
        embedder.pool(clips(0), np.empty(0))
    np.testing.assert_allclose(embedder.mean(clips(4), level_db), weights @ clips(4) / weights.sum(), atol=1e-5)


def test_descriptors_count_more_in_a_track_of_one_clip_and_its_cosine_with_a_longer_one_stays_close_to_1():
    embedder = Embedder(build_model(ModelConfig(channels=(2, 2))), "cpu", threads=1)
    one, two = (embedder.pool(np.repeat(clips(1), n, axis=0), np.zeros(n))[0] for n in (1, 2))
    assert np.linalg.norm(one[64:]) / np.linalg.norm(one[:64]) == pytest.approx(1, rel=1e-5)
    assert np.linalg.norm(two[64:]) / np.linalg.norm(two[:64]) == pytest.approx(0.85, rel=1e-5)
    assert one @ two == pytest.approx((1 + 0.85) / np.sqrt(2 * (1 + 0.85**2)), rel=1e-5)
    assert one @ two > 0.99


@pytest.mark.parametrize("clip_weight", ["equal", "loudness"])
def test_clips_beside_a_network_count_as_without_it(clip_weight: ClipWeight):
    rng = np.random.default_rng(0)
    head = FusedHeadConfig(kind="fused", balanced=True, clip_weight=clip_weight)
    vectors = rng.normal(size=(40, 30)).astype(np.float32)
    extra = Extra(None, Fusion.fit(rng.normal(size=(40, 128)).astype(np.float32), vectors, 1.0))
    embedder = Embedder(build_model(ModelConfig(channels=(2, 2), head=head)), "cpu", threads=1, extra=extra)
    level_db = np.array([-10.0, -20.0, -40.0])
    ((track, spread), (failed, _)) = embedder.pool_with([vectors[0], None], [clips(3), clips(3)], [level_db, level_db])
    weights = loudness(level_db) if clip_weight == "loudness" else None
    part = extra.part_of_tracks([vectors[0]])[0]
    np.testing.assert_allclose(track, to_unit((mean_clip(clips(3), weights) + part)[None])[0], atol=1e-5)
    np.testing.assert_allclose(failed, to_unit(mean_clip(clips(3), weights)[None])[0], atol=1e-5)
    assert spread == pool_track(clips(3))[1]
