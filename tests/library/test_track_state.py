"""What is said about a track: its state, its copies, its aliases."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from audioae.api import Library
from audioae.errors import UnknownTrackError
from tests.library.test_aliases import import_rows
from tests.stores import made_store

AGAIN = datetime(2026, 12, 24, tzinfo=UTC)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """t05 is a copy of t00; t06 and t07 have the bytes of t01 and of t08, which is rejected as t09 is; t10 waits."""
    made = {"copies": {5: 0}, "same_bytes": {6: 1, 7: 8}, "rejected": [8, 9], "pending": [10]}
    store = made_store(tmp_path / "store", 12, **made)
    import_rows(store, "navidrome", [("nd-5", "t05"), ("nd-6", "t06"), ("nd-1", "t01")])
    return Library(store)


@pytest.mark.parametrize(
    ("track_id", "state", "indexed", "copy_of", "reason", "aliases"),
    [
        ("t00", "embedded", True, None, None, {}),
        ("t05", "embedded", True, "t00", None, {"navidrome": "nd-5"}),
        ("t06", "duplicate", True, None, None, {"navidrome": "nd-6"}),
        ("t07", "duplicate", False, None, "silent", {}),
        ("t09", "rejected", False, None, "silent", {}),
        ("t10", "pending", False, None, None, {}),
    ],
)
def test_states(library: Library, track_id, state, indexed, copy_of, reason, aliases):
    got = library.track(track_id)
    assert (got.track.track_id, got.state, got.indexed, got.copy_of) == (track_id, state, indexed, copy_of)
    assert (got.reason, got.retry_at, got.aliases) == (reason, None, aliases)


def test_a_track_that_is_tried_again_is_pending(library: Library, monkeypatch):
    reject = {"reason": "unreadable", "detail": "no answer", "retry_at": AGAIN}
    monkeypatch.setattr(Library, "reject_of", lambda self, track: reject)
    got = library.track("t09")
    assert (got.state, got.reason, got.detail, got.retry_at) == ("pending", "unreadable", "no answer", AGAIN)


def test_an_unknown_track(library: Library):
    with pytest.raises(UnknownTrackError, match="no track_id 'Title 3' in tracks@"):
        library.track("Title 3")
