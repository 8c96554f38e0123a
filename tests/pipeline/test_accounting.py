"""Accounting: every track is in exactly one state, and the states add up to the catalog."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from audioae.errors import StoreError
from audioae.pipeline.accounting import account, account_store, commit_evidence
from audioae.pipeline.config import MelsConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import HEALTH, REJECTS


def tables(duplicates=(), rejected=(), embedded=(), failed=()):
    ids = ["a", "b", "c", "d"]
    tracks = pa.table({"track_id": ids, "duplicate_of": pa.array(["x" if t in duplicates else None for t in ids])})
    rows = [{"track_id": t, "stage": "mels", "reason": "silent", "detail": ""} for t in rejected]
    again = {"stage": "mels", "reason": "timeout", "detail": "", "retry_at": datetime.now(UTC)}
    rows += [{"track_id": t, "attempts": n, **again} for t, n in failed]
    rejects = pa.Table.from_pylist(rows, REJECTS)
    embeddings = pa.table(
        {"track_id": pa.array(embedded, pa.string()), "padded": pa.array([True] * len(embedded), pa.bool_())}
    )
    return tracks, rejects, embeddings


def test_every_track_is_counted_once():
    sums = account(*tables(duplicates=["a"], rejected=["b"], embedded=["c"]))
    assert (sums.n_tracks, sums.duplicates, sums.rejected, sums.embedded, sums.pending) == (4, 1, {"silent": 1}, 1, 1)
    assert sums.padded == 1


def test_a_track_that_is_tried_again_is_pending_and_not_rejected():
    sums = account(*tables(rejected=["a"], embedded=["b"], failed=[("c", 1), ("d", 2)]))
    assert (sums.rejected, sums.embedded, sums.pending) == ({"silent": 1}, 1, 2)
    assert sums.failed == (
        {"reason": "timeout", "attempts": 1, "tracks": 1},
        {"reason": "timeout", "attempts": 2, "tracks": 1},
    )


def test_a_track_in_two_states_is_an_error():
    with pytest.raises(StoreError, match=r"tracks in two states at once: 1, for example b; .* run the pipeline again"):
        account(*tables(rejected=["b"], embedded=["b"]))


def test_rejects_of_tracks_outside_the_catalog_are_not_counted():
    assert account(*tables(rejected=["zzz"])).rejected == {}


def test_no_track_is_pending_after_a_finished_chain(chain):
    store, _ = chain
    sums = account_store(store)
    assert (sums.n_tracks, sums.embedded, sums.pending) == (24, 24, 0)


@pytest.mark.parametrize(
    ("n_bad", "limit", "fails"), [(1, 0.2, False), (3, 0.2, True), (1, 0.0, True), (10, 1.0, True)]
)
def test_too_many_rejects_publish_nothing(tmp_path, n_bad, limit, fails):
    store = Store(str(tmp_path))
    bad = [{"track_id": str(i), "stage": "mels", "reason": "silent", "detail": "peak 0"} for i in range(n_bad)]
    good = [{"track_id": str(i)} for i in range(n_bad, 10)]
    store.write_part("rejects", "x", pa.Table.from_pylist(bad, schema=REJECTS))
    store.write_part("health", "x", pa.Table.from_pylist(good, schema=HEALTH))
    arguments = (store, DatasetRef("tracks", "t"), ["x"], MelsConfig())
    if fails:
        problem = f"{n_bad} of 10" if n_bad < 10 else "all 10"
        message = rf"{problem} tracks were rejected.*\(silent {n_bad}\); for example 0: silent.*Nothing was published"
        with pytest.raises(StoreError, match=message):
            commit_evidence(*arguments, max_reject_rate=limit)
        assert store.latest("rejects") is None
    else:
        health, rejects = commit_evidence(*arguments, max_reject_rate=limit)
        assert (store.manifest(health).rows, store.manifest(rejects).rows) == (10 - n_bad, n_bad)
