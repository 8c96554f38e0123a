"""Play logs: reading, counting, and bad logs."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from audioae.errors import SearchError
from audioae.recommend.play_log import read_plays

ROWS = {"a": 0, "b": 1, "copy of b": 1}


def log(**columns) -> pa.Table:
    return pa.table({"listener_id": ["x", "x", "y"], "track_id": ["a", "b", "b"], **columns})


def test_reads_ids_weights_and_dates():
    plays = read_plays(log(weight=[1, 2, 3], played_at=[date(2026, 1, 3), date(2026, 1, 1), date(2026, 1, 2)]), ROWS)
    assert plays.listeners.tolist() == ["x", "y"]
    assert plays.listener.tolist() == [0, 0, 1]
    assert plays.track.tolist() == [0, 1, 1]
    assert plays.weight.tolist() == [1, 2, 3]
    assert plays.age_days.tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    "times",
    [
        ["2026-01-02T00:00:00", "2026-01-01T00:00:00", "2026-01-01T12:00:00"],
        ["2026-01-02T02:00:00+02:00", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"],
        [1767312000, 1767225600, 1767268800],
        [datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 12, tzinfo=UTC)],
    ],
    ids=["text", "text with zone", "seconds", "timestamps"],
)
def test_reads_times_in_every_format(times):
    assert read_plays(log(played_at=times), ROWS).age_days.tolist() == [0, 1, 0.5]


def test_matrix_adds_up_plays_with_decay():
    table = pa.table(
        {
            "listener_id": ["x"] * 3,
            "track_id": ["b", "copy of b", "a"],
            "played_at": [date(2026, 1, 11), date(2026, 1, 11), date(2026, 1, 1)],
        }
    )
    matrix = read_plays(table, ROWS).matrix(3, half_life_days=10).toarray()
    assert np.allclose(matrix, np.log1p([[0.5, 2.0, 0.0]]))
    only = read_plays(table, ROWS).matrix(3, 10, kept=np.array([False, False, True])).toarray()
    assert np.allclose(only, np.log1p([[0.5, 0.0, 0.0]]))


def test_drops_and_counts_unknown_tracks():
    table = pa.table({"listener_id": ["x", "x", "y"], "track_id": ["a", "lost", "lost"]})
    plays = read_plays(table, ROWS)
    assert (plays.listeners.tolist(), plays.unknown_plays, plays.lost_listeners) == (["x"], 2, 1)
    assert plays.row_of("x") == 0
    with pytest.raises(
        SearchError, match="listener 'y' has no play of a track with an embedding; 1 listeners have one: x"
    ):
        plays.row_of("y")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"who": ["x"], "track_id": ["a"]}), "got columns who, track_id; missing: listener_id"),
        (log().slice(0, 0), "got no rows"),
        (pa.table({"listener_id": ["x", None], "track_id": ["a", "b"]}), "1 rows have no listener_id"),
        (pa.table({"listener_id": ["x"], "track_id": ["lost"]}), "none of its 1 plays is of a track with an embedding"),
        (log(weight=[1, 0, 2]), "1 rows have a weight that is not above 0, the first is 0"),
        (log(weight=[1.0, float("nan"), None]), "2 rows have a weight that is not above 0"),
        (log(weight=["much", "1", "1"]), "weight is string, wanted numbers"),
        (log(played_at=["yesterday", "today", "now"]), "played_at is string, such as yesterday"),
        (log(played_at=[date(2026, 1, 1), None, None]), "2 rows have no played_at"),
    ],
)
def test_refuses_bad_logs(table, message):
    with pytest.raises(SearchError, match=message):
        read_plays(table, ROWS, "plays.csv")
