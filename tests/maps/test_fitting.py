"""A map that is fitted again keeps its places and its regions."""

import numpy as np
import pytest

from audioae.maps.alignment import diagonal, shift
from audioae.maps.config import MapConfig
from audioae.maps.fitting import FittedMap, LastMap, no_last_map
from audioae.search.embeddings import EmbeddingTable
from tests.search.made import MODEL, clustered, make_table

N, GROWN = 500, 600
VECTORS = clustered(GROWN, seed=1)


def sample(n: int) -> EmbeddingTable:
    return make_table(VECTORS[:n])


def last_of(fitted: FittedMap, n: int, *, same_model: bool = True) -> LastMap:
    """What a map says of the first n tracks, of which it has fewer."""
    last = no_last_map(n)
    last.places[: len(fitted.places)], last.region[: len(fitted.region)] = fitted.places, fitted.region
    return last._replace(next_region=fitted.next_region, same_model=same_model)


@pytest.fixture(scope="module")
def first() -> FittedMap:
    return FittedMap(sample(N), MapConfig(), no_last_map(N))


def test_twenty_percent_more_tracks_leave_the_others_where_they_are(first):
    grown = FittedMap(sample(GROWN), MapConfig(), last_of(first, GROWN))
    assert grown.measured["shared"] == N
    assert grown.measured["median_shift"] < 0.05
    fresh = FittedMap(sample(GROWN), MapConfig(), no_last_map(GROWN)).places
    moved = np.median(shift(fresh[:N], first.places, diagonal(fresh)))
    assert moved > 0.1, "without the last map, places lose their meaning"
    assert grown.measured["neighbors_kept"] > first.measured["neighbors_kept"] - 0.03
    assert (grown.region[:N] == first.region).mean() > 0.7
    assert grown.next_region >= first.next_region


def test_a_fresh_layout_of_other_embeddings_is_aligned_with_the_last_map(first):
    turned = first.places @ np.array([[0, 1], [-1, 0]], np.float32) * 2 + 100
    last = last_of(first, N)._replace(places=turned, same_model=False)
    again = FittedMap(sample(N), MapConfig(), last)
    assert again.measured["median_shift"] < 0.15
    assert np.abs(again.places.mean(axis=0) - turned.mean(axis=0)).max() < 1
    assert diagonal(again.places) == pytest.approx(diagonal(turned), rel=0.2)


def test_others_are_placed_in_the_region_around_them(first):
    places, region = first.place(VECTORS[N:])
    assert (places.shape, places.dtype) == ((GROWN - N, 2), np.float32)
    assert {*region.tolist()} <= {*first.region.tolist()}
    again, of = first.place(VECTORS[:50])
    assert np.median(np.linalg.norm(again - first.places[:50], axis=1)) < 0.01 * diagonal(first.places)
    assert (of == first.region[:50]).mean() > 0.9
    assert first.place(VECTORS[:0])[0].shape == (0, 2)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_a_few_tracks_are_a_map_too(n: int):
    fitted = FittedMap(sample(n), MapConfig(), no_last_map(n))
    assert np.isfinite(fitted.places).all()
    assert fitted.region.tolist() == [0] * n
    places, region = fitted.place(VECTORS[n : n + 2])
    assert np.isfinite(places).all()
    assert region.tolist() == [0, 0]


def test_tracks_that_sound_the_same_have_finite_places():
    same = EmbeddingTable([f"t{i}" for i in range(40)], np.repeat(VECTORS[:2], 20, axis=0), MODEL)
    fitted = FittedMap(same, MapConfig(), no_last_map(40))
    assert np.isfinite(fitted.places).all()
    assert fitted.measured["neighbors_kept"] is not None
