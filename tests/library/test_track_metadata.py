"""Metadata from raw columns, and checks of metadata and vectors."""

import numpy as np
import pytest

from audioae.errors import EvaluationError
from audioae.library.track_metadata import Target, TrackMetadata, check_vectors, make_metadata

IDS = np.array(["a", "b", "c"])


def vectors(n: int = 3) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, 8)).astype(np.float32)


def test_strips_texts_and_maps_missing_values_to_unknown():
    tempo = Target(np.array([120.0, np.nan, 90.0]), "truth.csv")
    metadata = make_metadata(
        ["a", "b", "c"],
        labels=[" rock ", None, ""],
        artists=np.array(["x", "y", "x"]).tolist(),
        folds=["1", "2", float("nan")],  # pyright: ignore[reportArgumentType]
        targets={"tempo": tempo},
    )
    assert metadata.n == 3
    assert metadata.ids.tolist() == ["a", "b", "c"]
    assert metadata.labels.tolist() == ["rock", "", ""]
    assert metadata.artists.tolist() == ["x", "y", "x"]
    assert metadata.albums.tolist() == ["", "", ""]
    assert metadata.folds.tolist() == ["1", "2", ""], "NaN is unknown, not a fold named nan"
    assert metadata.targets == {"tempo": tempo}


def test_converts_numeric_ids_and_folds_to_text():
    metadata = make_metadata(np.arange(3), folds=np.array([1, 2, 1]))  # pyright: ignore[reportArgumentType]
    assert metadata.ids.tolist() == ["0", "1", "2"]
    assert metadata.folds.tolist() == ["1", "2", "1"]


def test_groups_tracks_by_artist_and_keeps_unknown_artists_apart():
    groups = make_metadata([*"abcdefg"], artists=["x", "", "y", None, "x", "y", "0"]).groups
    assert groups[0] == groups[4]
    assert groups[2] == groups[5]
    assert len(set(groups)) == 5
    assert len(set(make_metadata([*"abc"]).groups)) == 3


def test_refuses_too_few_tracks_duplicate_ids_and_ragged_columns():
    for ids in ([], ["a"]):
        with pytest.raises(EvaluationError, match=f"got {len(ids)} tracks with an embedding, wanted at least 2"):
            make_metadata(ids)
    with pytest.raises(EvaluationError, match="duplicate IDs: a, c; wanted one row per track"):
        make_metadata(["a", "b", "a", "c", "c"])
    many = [f"t{i}" for i in range(8)] * 2
    with pytest.raises(EvaluationError, match="t0, t1, t2, t3, t4 and 3 more"):
        make_metadata(many)
    with pytest.raises(EvaluationError, match="artists: got 2 values for 3 tracks"):
        make_metadata([*"abc"], artists=["x", "y"])
    with pytest.raises(EvaluationError, match="tempo: got 4 values for 3 tracks"):
        make_metadata([*"abc"], targets={"tempo": Target(np.zeros(4), "truth.csv")})
    unknown = np.full(3, "", dtype=object)
    with pytest.raises(EvaluationError, match="folds: got 1 values"):
        TrackMetadata(IDS, unknown, unknown, unknown, unknown[:1])


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16])
def test_scales_vectors_to_length_one(kind):
    raw = vectors().astype(kind)
    unit = check_vectors(raw, IDS, "x")
    assert unit.dtype == np.float32
    assert np.linalg.norm(unit, axis=1) == pytest.approx(1, abs=1e-6)
    assert unit == pytest.approx(raw / np.linalg.norm(raw.astype(float), axis=1, keepdims=True), abs=1e-3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_scales_vectors_whose_squares_overflow_float32(scale):
    plain = check_vectors(vectors(), IDS, "x")
    assert check_vectors(vectors() * np.float32(scale), IDS, "x") == pytest.approx(plain, abs=1e-6)


def test_refuses_vectors_that_are_not_finite_or_zero():
    for bad in (np.nan, np.inf, -np.inf):
        holed = vectors()
        holed[1, 3] = bad
        with pytest.raises(EvaluationError, match="store: 1 vectors contain NaN or infinity: b; leave them out"):
            check_vectors(holed, IDS, "store")
    empty = vectors()
    empty[[0, 2]] = 0
    with pytest.raises(EvaluationError, match="store: 2 vectors are zero: a, c"):
        check_vectors(empty, IDS, "store")


@pytest.mark.parametrize("shape", [(2, 8), (3,), (3, 0), (3, 2, 4)])
def test_refuses_vectors_of_other_shapes(shape):
    with pytest.raises(EvaluationError, match=r"x: got vectors of shape \(.*\) for 3 tracks, wanted \(n, d\)"):
        check_vectors(np.ones(shape, np.float32), IDS, "x")
