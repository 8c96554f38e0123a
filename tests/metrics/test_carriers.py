"""Carriers on made vectors of which it is known what they carry, and where."""

import numpy as np
import pytest

from audioae.library.track_metadata import Target, make_metadata
from audioae.metrics.carriers import measure

N, DIMENSIONS = 240, 32


def made(values: np.ndarray, name: str = "energy"):
    artists = [f"a{i // 4}" for i in range(len(values))]
    targets = {name: Target(values, "t")}
    return make_metadata([f"t{i}" for i in range(len(values))], artists=artists, targets=targets)


def vectors() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((N, DIMENSIONS)).astype(np.float32)


def test_a_number_in_one_dimension_needs_one_and_names_it():
    (one,) = measure(vectors(), made(3 - vectors()[:, 9]))
    assert (one["target"], one["n_dimensions"], one["needed"], one["code"]) == ("energy", DIMENSIONS, 1, None)
    assert one["r2"] > 0.99
    assert one["dimensions"][0]["dimension"] == 9
    assert one["dimensions"][0]["correlation"] < -0.99
    assert len(one["dimensions"]) == 5


def test_a_number_spread_over_all_dimensions_needs_most_of_them():
    (one,) = measure(vectors(), made(vectors().sum(axis=1)))
    assert one["needed"] == DIMENSIONS
    assert one["r2_needed"] >= 0.9 * one["r2"]


def test_a_number_that_the_vectors_do_not_have_needs_none():
    (one,) = measure(vectors(), made(np.random.default_rng(1).standard_normal(N)))
    assert one["needed"] is None
    assert one["r2"] < 0.05


def test_too_few_values_are_left_out():
    assert measure(vectors()[:20], made(np.arange(20.0))) == []


def test_the_code_of_sung_tracks_is_named_with_its_shares_in_the_other_artists():
    """Three of four clips of a sung track have code 5 of book 1; other codes are drawn at random."""
    rng, sung = np.random.default_rng(2), np.arange(N) % 2
    track = np.repeat(np.arange(N), 4)
    codes = rng.integers(0, 5, (2, len(track))).astype(np.uint16)
    codes[1, (sung[track] == 1) & (np.arange(len(track)) % 4 < 3)] = 5
    (one,) = measure(vectors(), made(sung.astype(float), "sung"), codes, track)
    assert one["code"] == {"book": 1, "code": 5, "low": 0.0, "high": pytest.approx(0.75)}


def test_codes_are_not_compared_where_half_of_the_artists_lacks_a_value():
    sung = (np.arange(N) < 4).astype(float)  # all of one artist
    (one,) = measure(vectors(), made(sung), np.zeros((1, N), np.uint16), np.arange(N))
    assert one["code"] is None
