"""Vectors and metadata of files: reading, sampling, and every file that is refused."""

from pathlib import Path

import numpy as np
import pytest

from audioae.errors import EvaluationError
from audioae.library.vector_files import vectors_from_file
from audioae.metrics import hubness, probes, retrieval
from tests.library.made import IDS, UNIT, VECTORS, N, columns, npz, parquet

pytestmark = pytest.mark.filterwarnings("error")


def test_reads_vectors_and_metadata_of_a_parquet_file(tmp_path):
    tracks = vectors_from_file(parquet(tmp_path, split=["train", "test"] * 6), max_tracks=100)
    assert tracks.name == "vectors.parquet"
    assert tracks.metadata.ids.tolist() == IDS
    assert tracks.vectors == pytest.approx(UNIT, abs=1e-6)
    assert tracks.metadata.labels.tolist() == ["rock", "jazz"] * 6
    assert tracks.metadata.artists.tolist() == [*[f"x{i // 2}" for i in range(N - 1)], ""]
    assert tracks.metadata.folds.tolist() == ["train", "test"] * 6
    assert list(tracks.titles) == [*[f"Song {i}" for i in range(N - 1)], "011"]
    assert (list(tracks.paths), tracks.omitted) == ([], ())


def test_reads_an_npz_file_with_the_other_names(tmp_path):
    arrays = {"id": np.array(IDS), "vector": VECTORS, "label": np.array(["rock", "jazz"] * 6), "fold": np.arange(N) % 2}
    tracks = vectors_from_file(npz(tmp_path, **arrays), max_tracks=100)
    assert tracks.metadata.ids.tolist() == IDS
    assert tracks.vectors == pytest.approx(UNIT, abs=1e-6)
    assert tracks.metadata.folds.tolist() == ["0", "1"] * 6
    assert tracks.metadata.artists.tolist() == [""] * N
    assert list(tracks.titles) == IDS


def test_samples_a_large_file_and_reports_it(tmp_path):
    some = vectors_from_file(parquet(tmp_path), max_tracks=4)
    assert some.metadata.ids.tolist() == ["000", "003", "006", "009"]
    assert some.vectors == pytest.approx(UNIT[[0, 3, 6, 9]], abs=1e-6)
    assert list(some.titles) == ["Song 0", "Song 3", "Song 6", "Song 9"]
    assert some.omitted == ("evaluated on 4 of 12 tracks, evenly spaced",)


def test_ids_and_vectors_are_enough_for_hubness(tmp_path):
    only = dict.fromkeys(("label", "artist", "title", "model"))
    tracks = vectors_from_file(parquet(tmp_path, name="bare.parquet", **only), max_tracks=100)
    result = sum(
        (measure(tracks.vectors, tracks.metadata) for measure in (probes.measure, hubness.measure)),
        retrieval.measure(tracks.vectors, tracks.metadata),
    )
    assert {metric.key for metric in result.metrics} == {"skewness of 10-occurrence", "never in a top 10"}
    assert len(result.omitted) == 4


def holed(value: float) -> list:
    vectors = VECTORS.copy()
    vectors[2:4] = value
    return vectors.tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"embedding": holed(np.nan)}, "2 vectors contain NaN or infinity: 002, 003; leave them out"),
        ({"embedding": holed(np.inf)}, "2 vectors contain NaN or infinity: 002, 003"),
        ({"embedding": holed(0.0)}, "2 vectors are zero: 002, 003"),
        ({"embedding": [*VECTORS[:11].tolist(), [1.0, 2.0]]}, "vectors differ in length or are not numbers"),
        ({"embedding": [*VECTORS[:11].tolist(), None]}, "vectors differ in length or are not numbers"),
        ({"embedding": ["rock"] * N}, "vectors differ in length or are not numbers"),
        ({"embedding": np.arange(N) + 1.0}, r"got vectors of shape \(12,\) for 12 tracks"),
        ({"embedding": [None] * N}, r"got vectors of shape \(12,\) for 12 tracks"),
        ({"embedding": [[]] * N}, r"got vectors of shape \(12, 0\) for 12 tracks"),
        ({"track_id": ["000", "000", *IDS[2:]]}, "duplicate IDs: 000; wanted one row per track"),
        ({"model": ["old", "new"] * 6}, "vectors of 2 models: new, old; keep those of one"),
        ({"embedding": None}, "got columns track_id, label, artist, title, model; missing: vector"),
        ({"track_id": None, "embedding": None}, "missing: id, vector"),
        ({name: [] for name in columns()}, "got 0 tracks with an embedding"),
        ({name: values[:1] for name, values in columns().items()}, "got 1 tracks with an embedding"),
    ],
)
def test_refuses_bad_parquet_files(tmp_path, changed, message):
    with pytest.raises(EvaluationError, match=message):
        vectors_from_file(parquet(tmp_path, **changed), max_tracks=100)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"vector": VECTORS[:7]}, "got 7 vector values for 12 IDs, wanted one per ID"),
        ({"label": np.array(["rock"] * 5)}, "got 5 label values for 12 IDs"),
        ({"label": np.array(["rock"] * 20)}, "got 20 label values for 12 IDs"),
        ({"vector": np.float32(3)}, "got 1 vector values for 12 IDs"),
        ({"id": np.array("000")}, "got 12 vector values for 1 IDs"),
        ({"id": np.array(IDS, dtype=object)}, "string arrays need a str dtype"),
    ],
)
def test_refuses_npz_files_with_arrays_of_different_lengths(tmp_path, changed, message):
    with pytest.raises(EvaluationError, match=message):
        vectors_from_file(npz(tmp_path, **{"id": np.array(IDS), "vector": VECTORS, **changed}), max_tracks=100)


@pytest.mark.parametrize("name", ["vectors.npz", "vectors.NPZ", "vectors.parquet", "vectors.csv", "vectors"])
def test_refuses_unreadable_files(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(EvaluationError, match=f"{name}: .*No such file"):
        vectors_from_file(str(path), max_tracks=100)
    (tmp_path / "whole").mkdir()
    whole = Path(npz(tmp_path / "whole", id=np.array(IDS), vector=VECTORS)).read_bytes()
    for content in (b"", b"\x80\x02garbage" * 50, whole[: len(whole) // 2], b"PAR1" + b"\0" * 100 + b"PAR1"):
        path.write_bytes(content)
        with pytest.raises(EvaluationError, match=f"{name}: (cannot be read|not a readable .npz|got columns)"):
            vectors_from_file(str(path), max_tracks=100)


def test_refuses_a_single_array(tmp_path):
    with (tmp_path / "vectors.npz").open("wb") as file:
        np.save(file, VECTORS)
    with pytest.raises(EvaluationError, match=r"not a readable \.npz"):
        vectors_from_file(str(tmp_path / "vectors.npz"), max_tracks=100)
