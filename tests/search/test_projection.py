"""The plane of the two principal axes: it agrees with scikit-learn, is repeatable, and exists for equal embeddings."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from audioae.search.projection import fit_plane

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(200, 16), (5, 128), (3, 2)])
def test_agrees_with_scikit_learn(shape: tuple[int, int]):
    embeddings = RNG.standard_normal(shape) * np.linspace(2, 1, shape[1])
    plane, pca = fit_plane(embeddings), PCA(2, svd_solver="full").fit(embeddings)
    np.testing.assert_allclose(plane.project(embeddings), pca.transform(embeddings), atol=1e-9)
    np.testing.assert_allclose(plane.explained, pca.explained_variance_ratio_, atol=1e-12)


def test_points_on_a_straight_line_stay_on_a_straight_line():
    plane = fit_plane(RNG.standard_normal((50, 8)))
    ends = plane.project(RNG.standard_normal((2, 8)))
    line = plane.project(np.linspace(0, 1, 5)[:, None] * np.ones(8))
    np.testing.assert_allclose(np.diff(line, axis=0), np.diff(line, axis=0)[:1].repeat(4, axis=0), atol=1e-12)
    assert ends.shape == (2, 2)


def test_float32_and_float64_embeddings_have_the_same_orientation():
    embeddings = RNG.standard_normal((40, 6))
    np.testing.assert_allclose(
        fit_plane(embeddings).project(embeddings),
        fit_plane(embeddings.astype(np.float32)).project(embeddings),
        atol=1e-5,
    )


@pytest.mark.parametrize("embeddings", [np.ones((4, 16)), np.ones((3, 1)), RNG.standard_normal((1, 8))])
def test_embeddings_without_variance_are_at_the_origin(embeddings: np.ndarray):
    plane = fit_plane(embeddings)
    np.testing.assert_array_equal(plane.project(embeddings), np.zeros((len(embeddings), 2)))
    np.testing.assert_array_equal(plane.explained, [0, 0])


def test_one_dimension_fills_one_axis():
    plane = fit_plane(np.array([[-1.0], [1.0]]))
    np.testing.assert_allclose(plane.project(np.array([[-1.0], [1.0]])), [[-1, 0], [1, 0]])
    np.testing.assert_allclose(plane.explained, [1, 0])
