"""Ground truth from files, matched to tracks by ID or path."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from audioae.errors import EvaluationError
from audioae.library.track_metadata import make_metadata
from audioae.library.track_vectors import TrackVectors, vectors_from_store
from audioae.library.truth import read_truth
from audioae.library.vector_files import vectors_from_file
from tests.library.made import IDS, N, csv, parquet, publish

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def tracks(tmp_path: Path) -> TrackVectors:
    return vectors_from_store(*publish(tmp_path), max_tracks=100)


def test_reads_numbers_by_track_id_but_no_catalog_columns(tmp_path, tracks):
    rows = [f"{i},{100 + int(i)},{'' if i == '004' else int(i) / 10},2005,rock,3,major" for i in IDS[::-1]]
    path = csv(tmp_path, "\n".join(["track_id,tempo,energy,year,label,fold,mode", *rows]))
    targets, omitted = read_truth(path, tracks)
    assert set(targets) == {"tempo", "energy"}
    assert targets["tempo"].values.tolist() == [100.0 + i for i in range(N)]
    assert targets["tempo"].source == "truth.csv"
    expected = np.arange(N) / 10
    expected[4] = np.nan
    assert targets["energy"].values == pytest.approx(expected, nan_ok=True)
    assert omitted == ()


def test_reads_parquet(tmp_path, tracks):
    table = pa.table({"track_id": IDS, "tempo": pa.array([*range(N - 1), None], pa.int32())})
    pq.write_table(table, tmp_path / "truth.parquet")
    targets, omitted = read_truth(str(tmp_path / "truth.parquet"), tracks)
    assert targets["tempo"].values == pytest.approx(np.array([*range(N - 1), np.nan]), nan_ok=True)
    assert omitted == ()


def test_paths_are_relative_to_the_folder_of_the_file(tmp_path, tracks):
    (tmp_path / "audio").mkdir()
    rows = [f"audio/{i}.wav,{int(i)}" for i in IDS[:-1]] + [f"other/../audio/{IDS[-1]}.wav,11"]
    targets, omitted = read_truth(csv(tmp_path, "\n".join(["path,tempo", *rows])), tracks)
    assert targets["tempo"].values.tolist() == list(range(N))
    assert omitted == ()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(EvaluationError, match=r"none of its 12 rows matches .* such as .*elsewhere"):
        read_truth(csv(elsewhere, "\n".join(["path,tempo", *rows])), tracks)


def test_reports_unmatched_rows_and_tracks(tmp_path, tracks):
    path = csv(tmp_path, "track_id,tempo\n000,1\n001,2\nghost,3\nphantom,4\nghost,5\n")
    targets, omitted = read_truth(path, tracks)
    assert targets["tempo"].values[:2].tolist() == [1.0, 2.0]
    assert np.isnan(targets["tempo"].values[2:]).all()
    assert omitted == (
        "3 of 5 rows of truth.csv match no evaluated track",
        "10 of 12 tracks are not in truth.csv",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("track_id,tempo\nghost,1\nphantom,2\n", "none of its 2 rows matches an evaluated track, such as ghost"),
        ("track_id,tempo\n", "none of its 0 rows matches an evaluated track$"),
        ("path,tempo\n", "none of its 0 rows matches an evaluated track$"),
        ("name,tempo\n000,1\n", "got columns name, tempo; wanted track_id or path among them"),
        ("track_id,tempo\n000,1\n001,2\n000,3\n", "1 tracks have several rows, such as 000; keep one row per track"),
        ("", "truth.csv: cannot be read"),
        ("track_id,tempo\n000,1,2\n", "truth.csv: cannot be read"),
    ],
)
def test_refuses_bad_truth(tmp_path, tracks, text, message):
    with pytest.raises(EvaluationError, match=message):
        read_truth(csv(tmp_path, text), tracks)


def test_refuses_a_missing_file(tmp_path, tracks):
    for name in ("truth.csv", "truth.parquet"):
        with pytest.raises(EvaluationError, match=f"{name}: cannot be read"):
            read_truth(str(tmp_path / name), tracks)


def test_paths_need_vectors_with_uris(tmp_path):
    with pytest.raises(EvaluationError, match="none of its 1 rows matches an evaluated track"):
        read_truth(csv(tmp_path, "path,tempo\n000.wav,1\n"), vectors_from_file(parquet(tmp_path), max_tracks=100))


def test_reads_the_truth_of_a_synthesized_catalog(tiny_audio, tmp_path):
    """The truth file of a synthesized catalog, matched by path."""
    truth = pacsv.read_csv(tiny_audio / "truth.csv")
    uris = [str(tiny_audio / path) for path in truth["path"].to_pylist()]
    n = len(uris)
    vectors = np.random.default_rng(1).standard_normal((n, 8)).astype(np.float32)
    made = TrackVectors("made", vectors, make_metadata([f"t{i}" for i in range(n)]), uris, uris)
    targets, omitted = read_truth(str(tiny_audio / "truth.csv"), made)
    assert set(targets) == {"tempo_bpm", "energy", "instrumentalness"}
    assert targets["tempo_bpm"].values == pytest.approx(truth["tempo_bpm"].to_numpy())
    assert omitted == ()
