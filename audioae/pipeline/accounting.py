"""Accounting: publishes the evidence from decoding (`health`, `rejects`), and counts every track exactly once.

Conventions
-----------
- Every track of a catalog version is in exactly one state: embedded, exact duplicate, rejected (with a reason) or
  pending. A track that failed for a reason that may pass is pending until its last attempt (see `failures.py`).
- A run fails and publishes nothing if more than `max_reject_rate` of the decoded tracks are rejected.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.pipeline.config import MelsConfig
from audioae.pipeline.failures import pending_failures
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import EMBEDDINGS, REJECTS

TRACK_COLUMNS = ("track_id", "duplicate_of")
EMBEDDED_COLUMNS = ("track_id", "padded")


def commit_evidence(
    store: Store, tracks: DatasetRef, names: Sequence[str], config: MelsConfig, *, max_reject_rate: float
) -> list[DatasetRef]:
    """Publish the parts `names` of `health` and `rejects`, unless too many tracks were rejected.

    Raises
    ------
    StoreError
        If more than `max_reject_rate` of the decoded tracks were rejected, or all of them; nothing is published then.
    """
    rejects = [store.read_part("rejects", name) for name in names]
    n_rejected = sum(part.num_rows for part in rejects)
    n_good = sum(store.read_part("health", name, ["track_id"]).num_rows for name in names)
    n_decoded = n_rejected + n_good
    if n_rejected and (n_good == 0 or n_rejected / n_decoded > max_reject_rate):
        reasons = Counter(reason for part in rejects for reason in part["reason"].to_pylist())
        example = next(part for part in rejects if part.num_rows).slice(0, 1).to_pylist()[0]
        detail = f"{example['track_id']}: {example['reason']}: {example['detail']}"
        if n_good:
            problem = f"{n_rejected} of {n_decoded} tracks were rejected, more than max_reject_rate={max_reject_rate:g}"
            remedy = "Fix the source, or raise max_reject_rate"
        else:
            problem, remedy = f"all {n_decoded} tracks were rejected", "Fix the source"
        raise StoreError(
            f"{problem} ({_counts(reasons)}); for example {detail}. Nothing was published. {remedy} and run again"
        )
    settings = config.model_dump(mode="json")
    return [
        store.commit(dataset, names, recipe=fingerprint([list(names), settings]), config=settings, parents=[tracks])
        for dataset in ("health", "rejects")
    ]


@dataclass(frozen=True)
class Accounting:
    """The number of tracks of one catalog version in each state. The four states add up to `n_tracks`.

    `failed` has the pending tracks that are tried again: rows of reason, attempts and number of tracks.
    """

    n_tracks: int
    embedded: int
    duplicates: int
    rejected: dict[str, int] = field(default_factory=dict)
    pending: int = 0
    padded: int = 0
    failed: tuple[dict[str, Any], ...] = ()

    @property
    def pending_states(self) -> dict[str, int]:
        """The pending tracks by what happened so far, in words.

        >>> failed = ({"reason": "timeout", "attempts": 2, "tracks": 3},)
        >>> Accounting(9, 5, 0, pending=4, failed=failed).pending_states
        {'pending: failed 2 times (timeout)': 3, 'pending': 1}
        """
        states = {f"pending: {failed_words(row['attempts'])} ({row['reason']})": row["tracks"] for row in self.failed}
        return {**states, "pending": self.pending - sum(states.values())}


def failed_words(attempts: int) -> str:
    """How often a track has failed, in words."""
    return f"failed {attempts} {'time' if attempts == 1 else 'times'}"


def account(tracks: pa.Table, rejects: pa.Table, embeddings: pa.Table) -> Accounting:
    """Count a catalog's tracks by state.

    Parameters
    ----------
    tracks : pa.Table
        Rows of `tracks`, at least track_id and duplicate_of.
    rejects : pa.Table
        Rows of `rejects`, at least track_id, reason, attempts and retry_at.
    embeddings : pa.Table
        Rows of `embeddings`, at least track_id and padded.

    Raises
    ------
    StoreError
        If a track is in two states; the datasets are then of different versions.
    """
    ids = tracks["track_id"]
    rejects = rejects.filter(pc.is_in(rejects["track_id"], value_set=_one_chunk(ids)))
    failed = pending_failures(rejects)
    rejects = rejects.filter(pc.is_null(rejects["retry_at"]))
    duplicate, rejected, embedded = (
        mask.to_numpy(zero_copy_only=False)
        for mask in (
            pc.is_valid(tracks["duplicate_of"]),
            pc.is_in(ids, value_set=_one_chunk(rejects["track_id"])),
            pc.is_in(ids, value_set=_one_chunk(embeddings["track_id"])),
        )
    )
    n_states = duplicate.astype(int) + rejected + embedded
    if len(rows := np.flatnonzero(n_states > 1)):
        raise StoreError(
            f"tracks in two states at once: {len(rows)}, for example {ids[int(rows[0])].as_py()}; the datasets "
            "tracks, rejects and embeddings are of different versions; run the pipeline again"
        )
    return Accounting(
        n_tracks=len(ids),
        embedded=int(embedded.sum()),
        duplicates=int(duplicate.sum()),
        rejected=dict(Counter(rejects["reason"].to_pylist()).most_common()),
        pending=int((n_states == 0).sum()),
        padded=int(pc.sum(embeddings["padded"]).as_py() or 0),
        failed=_by_attempts(failed),
    )


def account_store(store: Store, embeddings: DatasetRef | None = None) -> Accounting:
    """Count the tracks of the catalog that `embeddings` (default: the latest) was made from.

    If no embeddings are published, it counts the latest catalog.
    """
    embeddings = embeddings or store.latest("embeddings")
    if embeddings is None:
        tracks = store.read(store.require("tracks"), TRACK_COLUMNS)
        rejects = store.latest("rejects")
        return account(tracks, store.read(rejects) if rejects else REJECTS.empty_table(), EMBEDDINGS.empty_table())
    manifest = store.manifest(embeddings)
    return account(
        store.read(manifest.parent("tracks"), TRACK_COLUMNS),
        store.read(manifest.parent("rejects")),
        store.read(embeddings, EMBEDDED_COLUMNS),
    )


def _by_attempts(failed: pa.Table) -> tuple[dict[str, Any], ...]:
    counts = Counter(zip(failed["reason"].to_pylist(), failed["attempts"].to_pylist(), strict=True))
    return tuple({"reason": reason, "attempts": n, "tracks": tracks} for (reason, n), tracks in sorted(counts.items()))


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in reasons.most_common())
