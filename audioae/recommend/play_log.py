"""Play logs: who played which track, how much and when. Checks a log and turns it into a matrix.

Conventions
-----------
- A log is a table with the columns listener_id and track_id and, optionally, weight (> 0: a number of plays, or a
  rating) and played_at (a date or time; numbers are seconds since 1970). A row is one play or a sum of plays.
- Ages are in days before the newest play of the log, so the same log gives the same result on any day.
- Plays of unknown tracks are dropped and counted; so are listeners without any other plays.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from audioae.errors import SearchError

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class PlayLog:
    """The plays of known tracks. All arrays except `listeners` have one entry per play.

    Parameters
    ----------
    listeners : np.ndarray, shape (n_listeners,), str
        Sorted; each has at least one play.
    listener, track : np.ndarray, int64
        Rows of the listener and of the track.
    weight, age_days : np.ndarray, float64
    unknown_plays, lost_listeners : int
        Number of rows with an unknown track, and of listeners who have no other rows.
    """

    listeners: np.ndarray
    listener: np.ndarray
    track: np.ndarray
    weight: np.ndarray
    age_days: np.ndarray
    unknown_plays: int = 0
    lost_listeners: int = 0

    def matrix(self, n_tracks: int, half_life_days: float, kept: np.ndarray | None = None) -> csr_array:
        """Compute log(1 + sum of plays) of each listener and track, shape (n_listeners, n_tracks), float32.

        The weight of a play halves every `half_life_days`. With `kept`, only plays where it is true are counted.
        """
        kept = np.ones(len(self.track), bool) if kept is None else kept
        decayed = self.weight[kept] * 0.5 ** (self.age_days[kept] / half_life_days)
        shape = (len(self.listeners), n_tracks)
        sums = csr_array((decayed, (self.listener[kept], self.track[kept])), shape=shape)  # adds up repeated plays
        sums.sum_duplicates()
        return csr_array((np.log1p(sums.data).astype(np.float32), sums.indices, sums.indptr), shape=shape)

    def row_of(self, listener_id: str) -> int:
        """Find the row of a listener. Raises `SearchError` if the listener has no play of a known track."""
        row = int(np.searchsorted(self.listeners, listener_id))
        if row == len(self.listeners) or self.listeners[row] != listener_id:
            known = ", ".join(self.listeners[:5])
            raise SearchError(
                f"listener {listener_id!r} has no play of a track with an embedding; {len(self.listeners)} listeners "
                f"have one: {known}{', ...' if len(self.listeners) > 5 else ''}"
            )
        return row


def read_plays(table: pa.Table, track_rows: Mapping[str, int], where: str = "play log") -> PlayLog:
    """Check a log and look up its tracks.

    Parameters
    ----------
    table : pa.Table
        The log (see the module).
    track_rows : mapping of str to int
        Row of every known track_id; a duplicate has the row of the track that it duplicates.
    where : str
        Name of the log in messages.

    Raises
    ------
    SearchError
        If a column is missing or unusable, a weight is not above 0, or no play is of a known track.
    """
    if missing := {"listener_id", "track_id"} - set(table.column_names):
        columns = ", ".join(table.column_names)
        raise SearchError(f"{where}: got columns {columns}; missing: {', '.join(sorted(missing))}")
    if not table.num_rows:
        raise SearchError(f"{where}: got no rows, wanted listener_id, track_id (and weight, played_at) of every play")
    for name in ("listener_id", "track_id"):
        if table[name].null_count:
            raise SearchError(f"{where}: {table[name].null_count} rows have no {name}; leave them out")
    keys = pa.array(list(track_rows), pa.string())
    matches = pc.index_in(table["track_id"].cast(pa.string()), value_set=keys)
    known = pc.is_valid(matches).to_numpy()
    if not known.any():
        raise SearchError(
            f"{where}: none of its {table.num_rows} plays is of a track with an embedding, the first is of "
            f"{table['track_id'][0]}; wanted track_ids of this store (`audioae similar` prints them)"
        )
    rows = np.fromiter(track_rows.values(), np.int64, len(track_rows))
    names = table["listener_id"].cast(pa.string()).to_numpy()
    listeners, listener = np.unique(names[known].astype(str), return_inverse=True)
    return PlayLog(
        listeners,
        listener,
        rows[pc.drop_null(matches).to_numpy().astype(np.int64)],
        _weights(table, where)[known],
        _ages(table, where)[known],
        int((~known).sum()),
        len(set(names)) - len(listeners),
    )


def _weights(table: pa.Table, where: str) -> np.ndarray:
    if "weight" not in table.column_names:
        return np.ones(table.num_rows)
    try:
        weight = table["weight"].cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise SearchError(f"{where}: weight is {table['weight'].type}, wanted numbers ({error})") from None
    if not (good := np.isfinite(weight) & (weight > 0)).all():
        raise SearchError(
            f"{where}: {(~good).sum()} rows have a weight that is not above 0, the first is {weight[~good][0]}; "
            "leave out tracks that the listener did not like"
        )
    return weight


def _ages(table: pa.Table, where: str) -> np.ndarray:
    if "played_at" not in table.column_names:
        return np.zeros(table.num_rows)
    column = table["played_at"]
    if column.null_count:
        raise SearchError(f"{where}: {column.null_count} rows have no played_at; fill them in, or leave out the column")
    micros = _microseconds(column, where)
    return (micros.max() - micros) / DAY_US


def _microseconds(column: pa.ChunkedArray, where: str) -> np.ndarray:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        seconds = column.cast(pa.float64()).to_numpy()
        if np.isfinite(seconds).all():
            return seconds * 1e6
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):  # texts without and with a time zone
        try:
            return column.cast(kind).cast(pa.int64()).to_numpy().astype(np.float64)
        except pa.ArrowException:
            continue
    raise SearchError(
        f"{where}: played_at is {column.type}, such as {column[0]}; wanted dates, times or seconds since 1970"
    )
