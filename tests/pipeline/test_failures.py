"""Failures that may pass: tried again with a limit and a pause, counted as pending, and never stored for good."""

import json
import re
from pathlib import Path

import pytest

from audioae.api import Library
from audioae.cli.store import coverage
from audioae.errors import SearchError, StoreError
from audioae.pipeline.accounting import account_store
from audioae.pipeline.config import Retry, Workers
from audioae.report.explain import explain_track
from tests.pipeline.daily import Daily, retag, write_track

MOMENTARY = ("unreadable", "timeout", "crashed", "out_of_memory")


@pytest.fixture(params=[None, 1], ids=["stored", "sample"])
def daily(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daily:
    return Daily(tmp_path, monkeypatch, n=6, stored=request.param)


def set_retry(daily: Daily, **retry) -> None:
    daily.workers = Workers(retry=Retry(**retry))


def rejects(daily: Daily) -> list[dict]:
    return daily.store.read(daily.store.require("rejects")).to_pylist()


@pytest.mark.parametrize("reason", MOMENTARY)
def test_a_failure_that_passes_is_pending_and_then_embedded(daily: Daily, reason: str):
    daily.failing = {"a00.mp3": reason}
    before = daily.run()
    assert len(before.decoded) == 6
    sums = account_store(daily.store)
    assert (sums.embedded, sums.rejected, sums.pending) == (5, {}, 1)
    assert sums.failed == ({"reason": reason, "attempts": 1, "tracks": 1},)
    daily.failing = {}
    waiting = daily.run()
    assert (waiting.decoded, waiting.version) == ([], before.version), "tried again within the pause"
    set_retry(daily, pause_s=0)
    after = daily.run()
    assert (after.decoded, after.embedded) == (["a00.mp3"], 1)
    assert before.embeddings.items() <= after.embeddings.items()
    sums = account_store(daily.store)
    assert (sums.embedded, sums.rejected, sums.pending, sums.failed) == (6, {}, 0, ())
    assert daily.run().decoded == []


def test_a_failure_that_stays_is_rejected_after_its_last_attempt(daily: Daily):
    daily.failing = {"a00.mp3": "timeout"}
    set_retry(daily, pause_s=0)
    for attempts in (1, 2):
        assert daily.run().decoded.count("a00.mp3") == 1
        (row,) = rejects(daily)
        assert (row["reason"], row["attempts"], row["retry_at"] is None) == ("timeout", attempts, False)
    assert daily.run().decoded == ["a00.mp3"]
    (row,) = rejects(daily)
    assert (row["attempts"], row["retry_at"]) == (3, None)
    sums = account_store(daily.store)
    assert (sums.rejected, sums.pending) == ({"timeout": 1}, 0)
    assert daily.run().decoded == [], "the limit is three"
    daily.failing = {}
    set_retry(daily, pause_s=0, attempts=4)
    assert daily.run().decoded == ["a00.mp3"], "a higher limit tries it again"
    assert rejects(daily) == []


def test_a_file_that_changed_is_tried_at_once_and_its_attempts_are_forgotten(daily: Daily):
    daily.failing = {"a00.mp3": "crashed"}
    set_retry(daily, attempts=1)
    daily.run()
    assert account_store(daily.store).rejected == {"crashed": 1}
    write_track(daily.music / "a00.mp3", 70)
    assert daily.run().decoded == ["a00.mp3"]
    assert rejects(daily)[0]["attempts"] == 1


def test_another_change_in_the_shard_forgets_no_attempt_and_tries_nothing(daily: Daily):
    daily.failing = {"a00.mp3": "timeout"}
    daily.run()
    retag(daily.music / "a01.mp3", "new")
    (daily.music / "a02.mp3").unlink()
    after = daily.run()
    assert after.decoded == []
    assert [row["attempts"] for row in rejects(daily)] == [1]
    assert len(after.embeddings) == 4


@pytest.mark.parametrize("n", [6, 4], ids=["all", "most"])
def test_a_vanished_disk_stops_the_run_and_mending_it_helps_at_once(daily: Daily, n: int):
    daily.failing = {f"a{i:02d}.mp3": "unreadable" for i in range(n)}
    for _ in range(5):  # more often than the limit: a run that published nothing does not count
        with pytest.raises(StoreError, match=r"tracks were rejected.*unreadable"):
            daily.run()
    assert daily.store.latest("embeddings") is None
    daily.failing = {}
    after = daily.run()
    assert len(after.embeddings) == 6
    assert rejects(daily) == []
    for i in range(n):
        assert f"a{i:02d}.mp3" in after.decoded


def test_a_file_that_cannot_be_opened_at_the_scan_keeps_its_attempts(daily: Daily):
    """Its content is not known, so its track_id stands for it."""
    (daily.music / "a00.mp3").unlink()
    (daily.music / "a00.mp3").symlink_to(daily.music / "nowhere")
    daily.run()
    first = rejects(daily)
    assert [row["attempts"] for row in first] == [1]
    retag(daily.music / "a01.mp3", "new")
    assert daily.run().decoded == []
    assert rejects(daily) == first


def test_reasons_of_the_file_are_final(daily: Daily):
    (daily.music / "a00.mp3").write_bytes(b"")
    set_retry(daily, pause_s=0)
    daily.run()
    (row,) = rejects(daily)
    assert (row["reason"], row["attempts"], row["retry_at"]) == ("empty", None, None)
    assert daily.run().decoded == []
    assert account_store(daily.store).rejected == {"empty": 1}


def test_coverage_explain_and_a_query_say_that_a_track_is_tried_again(daily: Daily, capsys):
    daily.failing = {"a00.mp3": "timeout"}
    day = daily.run()
    coverage(store=daily.root, as_json=False)
    lines = [re.sub(r"[│\s]+", " ", line).split() for line in capsys.readouterr().out.splitlines()]
    assert ["pending:", "failed", "1", "time", "(timeout)", "1"] in lines
    assert ["pending", "0"] in lines
    coverage(store=daily.root, as_json=True)
    sums = json.loads(capsys.readouterr().out)
    assert (sums["pending"], sums["failed"]) == (1, [{"reason": "timeout", "attempts": 1, "tracks": 1}])
    library = Library(daily.store, embeddings=day.version)
    state = explain_track(library, "a00")["state"]
    assert re.fullmatch(r"pending: failed 1 time, tried again after [0-9-]+ [0-9:]+ UTC", state["state"])
    assert (state["reason"], state["detail"]) == ("timeout", "made to fail")
    with pytest.raises(SearchError, match="timeout: made to fail; a later run tries it again"):
        library.embedding_of(library.find("a00"))
