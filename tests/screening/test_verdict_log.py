"""The log of verdicts: what several people save at once is all there, and nobody overwrites another unawares."""

import io
import subprocess
import sys
from datetime import UTC, datetime
from itertools import permutations

import pytest

from audioae.errors import DamageError, StoreError
from audioae.screening import verdict_log
from audioae.screening.verdict_board import Board, Judgment, Word
from audioae.screening.verdict_files import read_verdicts
from audioae.screening.verdict_log import FOLDER, Sent, VerdictLog
from audioae.store import retry
from audioae.store.storage import Storage

SAVE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from audioae.screening import verdict_log
from audioae.screening.verdict_log import Sent, VerdictLog
from audioae.store.storage import Storage
verdict_log.MOST_OBJECTS = 8
log = VerdictLog(Storage(sys.argv[1]))
def work(who):
    for i in range(40):
        saved, conflicts = log.save([Sent("corrupt", f"{who}-{i}", "issue", who), Sent("corrupt", "same", "fine", who)])
        assert not conflicts and len(saved) == 2, conflicts
with ThreadPoolExecutor(2) as pool:
    list(pool.map(work, [f"{sys.argv[2]}{i}" for i in range(2)]))  # raises what a thread raised
"""


def said(log: VerdictLog, check: str | None = None) -> dict[str, tuple[str | None, str]]:
    return {one.track_id: (one.verdict, one.by) for one in log.read().shown(check)}


def test_what_is_saved_is_read_in_a_folder_and_in_a_bucket(store_root):
    log = VerdictLog(Storage(store_root))
    assert said(log) == {}
    saved, conflicts = log.save(
        [Sent("corrupt", "a", "issue", "Ann", note="clicks"), Sent("mislabeled", "a", "fine", "Ann")]
    )
    assert (len(saved), conflicts) == (2, [])
    other = VerdictLog(Storage(store_root))
    assert said(other, "corrupt") == {"a": ("issue", "Ann")}
    assert other.read().newest("corrupt", "a") == saved[0]
    assert saved[0].note == "clicks"
    assert other.read().revision == log.read().revision
    assert log.read().is_issue() == {"corrupt": {"a": True}, "mislabeled": {"a": False}}


def test_servers_and_threads_that_save_and_merge_at_once_lose_nothing(tmp_path):
    savers = [subprocess.Popen([sys.executable, "-c", SAVE, str(tmp_path), who]) for who in "xyz"]
    assert [saver.wait(120) for saver in savers] == [0, 0, 0]
    storage = Storage(str(tmp_path))
    board = VerdictLog(storage).read()
    people = [f"{who}{i}" for who in "xyz" for i in range(2)]
    wanted = {f"{who}-{i}": ("issue", who) for who in people for i in range(40)}
    found = said(VerdictLog(storage))
    assert found.pop("same")[0] == "fine"
    assert found == wanted
    newest = board.newest("corrupt", "same")
    assert newest is not None
    assert {newest.by, *(other.by for other in board.others(newest))} == set(people)
    assert len(storage.list(FOLDER)) < 120  # of 240 saves


def test_nobody_overwrites_what_another_said_since(tmp_path):
    ann, bob = VerdictLog(Storage(str(tmp_path))), VerdictLog(Storage(str(tmp_path)))
    ann.save([Sent("corrupt", "a", "issue", "Ann")])
    saved, ((mine, theirs),) = bob.save([Sent("corrupt", "a", "fine", "Bob"), Sent("corrupt", "b", "fine", "Bob")])
    assert [one.track_id for one in saved] == ["b"]
    assert (mine.verdict, theirs.verdict, theirs.by) == ("fine", "issue", "Ann")
    assert said(ann) == {"a": ("issue", "Ann"), "b": ("fine", "Bob")}
    assert bob.save([Sent("corrupt", "a", "fine", "Bob", expected="issue")])[1] == []
    board = ann.read()
    newest = board.newest("corrupt", "a")
    assert newest is not None
    assert (newest.by, [(one.by, one.verdict) for one in board.others(newest)]) == ("Bob", [("Ann", "issue")])


def test_agreement_and_a_change_of_mind_are_no_conflicts(tmp_path):
    log = VerdictLog(Storage(str(tmp_path)))
    log.save([Sent("corrupt", "a", "issue", "Ann")])
    assert log.save([Sent("corrupt", "a", "issue", "Bob")])[1] == []
    assert log.save([Sent("corrupt", "a", "fine", "Bob")])[1] == []  # Bob's own is the newest
    assert said(log) == {"a": ("fine", "Bob")}
    log.save([Sent("corrupt", "a", None, "Bob", expected="fine")])
    assert said(log) == {"a": ("issue", "Ann")}  # hers is in force again
    log.save([Sent("corrupt", "a", None, "Ann", expected="issue")])
    assert said(log) == {}
    ((_, theirs),) = log.save([Sent("corrupt", "a", "fine", "Cem", expected="issue")])[1]
    assert (theirs.by, theirs.verdict) == ("Ann", None)  # she took it back


def test_a_later_save_is_the_newer_one_whatever_the_clock_says(tmp_path, monkeypatch):
    log = VerdictLog(Storage(str(tmp_path)))
    future = datetime(2100, 1, 1, tzinfo=UTC)
    with monkeypatch.context() as patch:
        patch.setattr(verdict_log, "datetime", type("Clock", (datetime,), {"now": classmethod(lambda *_: future)}))
        log.save([Sent("corrupt", "a", "issue", "Ann")])
    log.save([Sent("corrupt", "a", "fine", "Bob", expected="issue")])
    assert said(log) == {"a": ("fine", "Bob")}


def test_an_interrupted_merge_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(verdict_log, "MOST_OBJECTS", 5)
    log, storage = VerdictLog(Storage(str(tmp_path))), Storage(str(tmp_path))
    for i in range(5):
        log.save([Sent("corrupt", f"{i}", "issue", "Ann")])
    before, keys = log.read().revision, storage.list(FOLDER).keys()
    with monkeypatch.context() as patch:
        patch.setattr(Storage, "delete", lambda self, key: (_ for _ in ()).throw(StoreError("killed")))
        log.save([Sent("corrupt", "5", "issue", "Ann")])
        after = log.read().revision
    assert before != after
    assert keys < storage.list(FOLDER).keys()
    for reader in (log, VerdictLog(storage)):
        assert reader.read().revision == after
    log.read()
    assert len(storage.list(FOLDER)) < 6
    assert VerdictLog(storage).read().revision == after


def test_a_reader_waits_for_as_long_as_others_merge(tmp_path, monkeypatch):
    VerdictLog(Storage(str(tmp_path))).save([Sent("corrupt", "a", "issue", "Ann")])
    read, times = Storage.read, []

    def gone(self: Storage, key: str) -> bytes:
        times.append(key)
        if len(times) < 8:
            raise DamageError("no such object in the store")
        return read(self, key)

    monkeypatch.setattr(Storage, "read", gone)
    monkeypatch.setattr(retry, "LONGEST_PAUSE_S", 0.0)
    assert said(VerdictLog(Storage(str(tmp_path)))) == {"a": ("issue", "Ann")}
    assert len(times) == retry.ATTEMPTS == 8
    monkeypatch.setattr(retry, "ATTEMPTS", 7)
    times.clear()
    with pytest.raises(DamageError, match="no such object"):
        VerdictLog(Storage(str(tmp_path))).read()


def test_a_reader_that_another_merges_under_reads_again(tmp_path, monkeypatch):
    log, slow = VerdictLog(Storage(str(tmp_path))), VerdictLog(Storage(str(tmp_path)))
    for i in range(3):
        log.save([Sent("corrupt", f"{i}", "issue", "Ann")])
    read, merged = Storage.read, []

    def read_late(self: Storage, key: str) -> bytes:
        if not merged:
            merged.append(key)
            log._merge(sorted(self.list(FOLDER)))
        return read(self, key)

    monkeypatch.setattr(Storage, "read", read_late)
    assert said(slow).keys() == {"0", "1", "2"}
    assert len(Storage(str(tmp_path)).list(FOLDER)) == 1


def test_a_line_that_is_no_verdict_is_skipped_and_kept(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(verdict_log, "MOST_OBJECTS", 2)
    storage = Storage(str(tmp_path))
    log = VerdictLog(storage)
    log.save([Sent("corrupt", "a", "issue", "Ann")])
    storage.write(f"{FOLDER}/1-damaged.jsonl", b'{"id": \n')
    for track_id in "bcd":
        log.save([Sent("corrupt", track_id, "fine", "Ann")])
    assert said(VerdictLog(storage)).keys() == {"a", "b", "c", "d"}
    assert f"{FOLDER}/1-damaged.jsonl" in storage.list(FOLDER)
    assert "a line is not a verdict" in caplog.text


def test_a_store_that_cannot_be_written_says_so(tmp_path, monkeypatch):
    log = VerdictLog(Storage(str(tmp_path)))
    assert log.why_read_only() is None
    monkeypatch.setattr(verdict_log.os, "access", lambda path, mode: False)
    assert log.why_read_only() == f"{tmp_path} cannot be written by this server"
    monkeypatch.setattr(Storage, "write", lambda self, key, content: (_ for _ in ()).throw(StoreError("no")))
    with pytest.raises(StoreError):
        log.save([Sent("corrupt", "a", "issue", "Ann")])
    assert said(log) == {}


def test_a_board_is_the_same_in_whatever_order_it_is_read():
    words: tuple[tuple[str, Word | None, str], ...] = (
        ("1", "issue", "Ann"),
        ("2", "fine", "Bob"),
        ("3", None, "Bob"),
        ("4", "fine", "Cem"),
    )
    judgments = [Judgment(id_, "corrupt", "a", word, by, f"2026-01-0{id_}") for id_, word, by in words]
    boards = [Board().plus(order).plus(order[:2]) for order in permutations(judgments)]
    assert len({board.revision for board in boards}) == 1
    for board in boards:
        (newest,) = board.shown()
        assert (newest.by, [one.by for one in board.others(newest)]) == ("Cem", ["Ann"])


def test_the_csv_is_what_the_screening_reads():
    hostile = '=HYPERLINK("x"),\n"quoted"; \u2028 line'
    judgments = [
        Judgment("1", "corrupt", "a,b", "issue", hostile, "2026-01-01", note=hostile),
        Judgment("2", "corrupt", "a,b", "fine", "Bob", "2026-01-02"),
        Judgment("3", "mislabeled", "c", "issue", "Bob", "2026-01-02"),
        Judgment("4", "no such check", "c", "issue", "Bob", "2026-01-02"),
    ]
    text = Board().plus(judgments).to_csv()
    rows = read_verdicts(io.StringIO(text), "verdicts.csv")
    assert {key: is_issue for key, (is_issue, _) in rows.items()} == {
        ("corrupt", "a,b"): False,
        ("mislabeled", "c"): True,
    }
    assert ",\"'=HYPERLINK(" in text  # in `others`
    assert Board().plus(judgments).to_csv("mislabeled").count("\n") == 2
