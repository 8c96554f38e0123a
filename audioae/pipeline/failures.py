"""Failures of the moment: which tracks have failed, how often, and when they are tried again.

Conventions
-----------
- A failure is a row of `rejects` with `attempts`: the number of runs that published it. While `retry_at` is set, the
  track is pending; without it, the track is rejected.
- A failure that no version of `rejects` has published does not count. So a run that stopped with nothing published
  (a vanished disk: too many rejects) leaves no trace, and the next one tries all of its failures again.
- Where mels are stored, the stage mels tries again what is to be tried, and embedding does not try it a second time.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.errors import AudioError
from audioae.pipeline.config import Retry
from audioae.store.dataset import Store


def failures_in(rejects: pa.Table) -> pa.Table:
    """The rows of `rejects` whose reason is of the moment."""
    return rejects.filter(pc.is_valid(rejects["attempts"]))


def pending_failures(rejects: pa.Table) -> pa.Table:
    """The rows of `rejects` that a later run tries again."""
    return rejects.filter(pc.is_valid(rejects["retry_at"]))


def due(failures: pa.Table, retry: Retry) -> np.ndarray:
    """Which of the failures this run tries again: a mask, shape (n,)."""
    now = pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC"))
    waited = pc.fill_null(pc.less_equal(failures["retry_at"], now), True)
    left = pc.less(failures["attempts"], retry.attempts)
    return (pc.and_(waited, left) if retry.pause_s else left).to_numpy(zero_copy_only=False).astype(bool)


def may_try_again(store: Store, name: str, *, embedding: bool) -> bool:
    """Whether it is for this stage (embedding, or else mels) to try the failures of the extraction `name` again."""
    return not embedding or not store.has_part("mels", name)


def is_published(store: Store, name: str) -> bool:
    """Whether a version of `rejects` contains the extraction `name`."""
    return store.is_published("rejects", name)


def reject_row(track_id: str, error: AudioError, earlier_attempts: int, retry: Retry) -> dict[str, Any]:
    """The row of `rejects` for a track that could not be decoded.

    Parameters
    ----------
    track_id : str
    error : AudioError
    earlier_attempts : int
        The number of runs in which it has failed before.
    retry : Retry
    """
    from audioae.audio.decode import MOMENTARY

    row: dict[str, Any] = {"track_id": track_id, "stage": "mels", "reason": error.reason, "detail": error.detail}
    if error.reason not in MOMENTARY:
        return row
    attempts = earlier_attempts + 1
    pause = timedelta(seconds=retry.pause_s)
    return {**row, "attempts": attempts, "retry_at": datetime.now(UTC) + pause if attempts < retry.attempts else None}
