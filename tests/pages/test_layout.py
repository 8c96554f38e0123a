"""Layouts fill the unit square, are repeatable, and exist for few or equal vectors."""

import numpy as np
import pytest

from audioae.pages.layout import MAX_POINTS, map_rows, pca_layout, tsne_layout
from tests.pages.made import unit

N = 40
VECTORS = unit(np.eye(4, 16)[np.arange(N) % 4] + 0.15 * np.random.default_rng(0).standard_normal((N, 16)))


def test_layouts_fill_the_square_and_are_repeatable():
    pca, share = pca_layout(VECTORS)
    tsne = tsne_layout(VECTORS)
    assert tsne is not None
    np.testing.assert_array_equal(tsne, tsne_layout(VECTORS))
    assert 0.3 < share < 1
    for positions in (pca, tsne):
        assert positions.shape == (N, 2)
        assert positions.min() >= -1e-9
        assert positions.max() <= 1 + 1e-9
        np.testing.assert_allclose(np.ptp(positions, axis=0).max(), 1)


def test_tsne_keeps_clumps_together():
    tsne = tsne_layout(VECTORS)
    assert tsne is not None
    labels = np.arange(N) % 4
    apart = np.linalg.norm(tsne[:, None] - tsne[None], axis=-1) + np.eye(N) * 9
    assert (labels[apart.argmin(axis=1)] == labels).all()


def test_only_fitted_vectors_determine_the_axes():
    outlier = 100 * np.ones((1, 16), np.float32)
    with_outlier, share = pca_layout(np.concatenate([VECTORS, outlier]), n_fitted=N)
    alone, expected = pca_layout(VECTORS)
    assert share == pytest.approx(expected)
    scale = np.linalg.norm(with_outlier[1] - with_outlier[0]) / np.linalg.norm(alone[1] - alone[0])
    np.testing.assert_allclose(with_outlier[:N] - with_outlier[0], scale * (alone - alone[0]), atol=1e-9)


@pytest.mark.parametrize("vectors", [VECTORS[:2], np.ones((4, 16), np.float32), np.ones((3, 1), np.float32)])
def test_few_or_equal_vectors_have_pca_but_no_tsne(vectors: np.ndarray):
    positions, share = pca_layout(vectors)
    assert positions.shape == (len(vectors), 2)
    assert np.isfinite(positions).all()
    assert 0 <= share <= 1 + 1e-9
    assert tsne_layout(vectors) is None


def test_large_catalogs_are_sampled_at_even_distances():
    rows = map_rows(1_000_000)
    assert len(rows) == MAX_POINTS
    assert rows[0] == 0
    assert 1_000_000 - rows[-1] <= 200
    assert np.ptp(np.diff(rows)) <= 1
    np.testing.assert_array_equal(map_rows(7), np.arange(7))
