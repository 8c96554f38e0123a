"""A simulated log as a file."""

from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from audioae.errors import EvaluationError, StoreError
from audioae.recommend.simulated_log import NOW, write_simulated_log


def test_writes_plays_of_the_last_year(library, truth, tmp_path):
    path = tmp_path / "plays.parquet"
    n_plays = write_simulated_log(library, truth, str(path), n_listeners=12)
    table = pq.read_table(path)
    assert table.num_rows == n_plays
    assert set(table["listener_id"].to_pylist()) == {f"listener{i:02}" for i in range(12)}
    assert set(table["track_id"].to_pylist()) <= set(library.tracks["track_id"].to_pylist())
    times = table["played_at"].to_pylist()
    assert datetime(2025, 1, 1, tzinfo=UTC) <= min(times) <= max(times) <= NOW


def test_leaves_a_share_of_the_tracks_unplayed(library, truth, tmp_path):
    path = str(tmp_path / "plays.parquet")
    write_simulated_log(library, truth, path, n_listeners=40)
    played = set(pq.read_table(path)["track_id"].to_pylist())
    write_simulated_log(library, truth, path, n_listeners=40, unplayed=0.25)
    fewer = set(pq.read_table(path)["track_id"].to_pylist())
    assert fewer < played
    assert len(played) == 24
    assert len(fewer) == 18
    with pytest.raises(EvaluationError, match=r"got unplayed=1\.5"):
        write_simulated_log(library, truth, path, unplayed=1.5)


def test_refuses_a_file_that_cannot_be_written(library, truth, tmp_path):
    with pytest.raises(StoreError, match="cannot be written"):
        write_simulated_log(library, truth, str(tmp_path / "no folder" / "plays.parquet"), n_listeners=2)
