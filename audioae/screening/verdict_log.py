"""Verdicts that are kept in the store, as a log that several servers write at once without losing anything.

Conventions
-----------
- A save is one new object, `verdicts/log/<time>-<random>.jsonl`, with a line of JSON for each judgment. Nothing is
  ever changed, so nobody can overwrite another.
- Many small objects are merged: the lines are written to a new object, then the old ones are deleted. A merge that is
  interrupted, or done by two at once, leaves lines twice, which the board does not mind.
- A line that cannot be read is skipped with a warning, and its object never merged or deleted.
- `prune` does not touch the log.

Why no lock and no database: the store may be a bucket, which has neither.
"""

import hashlib
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from audioae.errors import StoreError
from audioae.screening.verdict_board import Board, Judgment, Word
from audioae.store.retry import unless_merged
from audioae.store.storage import Storage

_log = logging.getLogger(__name__)

FOLDER = "verdicts/log"
MOST_OBJECTS = 200
LARGEST_MERGED = 1 << 20  # bytes: larger objects are not merged any more


@dataclass(frozen=True)
class Sent:
    """A judgment that somebody wants to save; `expected` is the verdict that this person saw."""

    check: str
    track_id: str
    verdict: Word | None
    by: str
    expected: Word | None = None
    note: str = ""
    key: str | None = None


class VerdictLog:
    """The log of one store. Methods may be called from several threads.

    Parameters
    ----------
    storage : Storage
    """

    def __init__(self, storage: Storage):
        self._storage = storage
        self._lock = threading.Lock()
        self._board = Board()
        self._seen: set[str] = set()
        self._damaged: set[str] = set()
        self._refusal: str | None = None

    def read(self) -> Board:
        """Everything that was saved until now.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        with self._lock:
            return self._read()

    def save(self, sent: Sequence[Sent]) -> tuple[list[Judgment], list[tuple[Sent, Judgment]]]:
        """Save judgments, except where another person has said something else than was expected.

        Returns
        -------
        saved : list of Judgment
        conflicts : list of (Sent, Judgment)
            What was not saved, with what was said meanwhile. Sent again with that as `expected`, it is saved.

        Raises
        ------
        StoreError
            If the store cannot be written; then nothing was saved.
        """
        with self._lock:
            board = self._read()
            token, saved, conflicts = secrets.token_hex(8), [], []
            for one in sent:
                newest = board.newest(one.check, one.track_id)
                said = newest.verdict if newest else None
                if newest and newest.by != one.by and said not in (one.expected, one.verdict):
                    conflicts.append((one, newest))
                    continue
                saved.append(_judgment(one, f"{token}-{len(saved)}", newest, len(saved)))
            if saved:
                self._write(saved)
                self._board = board.plus(saved)
            return saved, conflicts

    def why_read_only(self) -> str | None:
        """A sentence if the store cannot be written; in a bucket, that is known only after a save failed."""
        if self._storage.is_local:
            folder = Path(self._storage.path(FOLDER))
            existing = next(path for path in (folder, *folder.parents) if path.exists())
            if not os.access(existing, os.W_OK | os.X_OK):
                return f"{existing} cannot be written by this server"
            return None
        return self._refusal

    def _write(self, judgments: Iterable[Judgment]) -> None:
        key = f"{FOLDER}/{time.time_ns():020d}-{secrets.token_hex(8)}.jsonl"
        try:
            self._storage.write(key, b"".join(_line(one) for one in judgments))
        except StoreError as error:
            self._refusal = str(error)
            raise
        self._seen.add(key)
        self._refusal = None

    def _read(self) -> Board:
        sizes = unless_merged(self._read_new)
        small = [key for key in sorted(sizes) if sizes[key] < LARGEST_MERGED and key not in self._damaged]
        if len(small) > MOST_OBJECTS:
            self._merge(small)
        return self._board

    def _read_new(self) -> dict[str, int]:
        """Read the objects that were not read before, and return the sizes of all that there are."""
        sizes = {key: entry.size for key, entry in self._storage.list(FOLDER).items()}
        self._seen.intersection_update(sizes)
        new = sorted(sizes.keys() - self._seen)
        self._board = self._board.plus([one for key in new for one in self._judgments(key)])
        self._seen.update(new)
        return sizes

    def _judgments(self, key: str) -> list[Judgment]:
        found = []
        for line in self._storage.read(key).splitlines():
            try:
                found.append(Judgment(**json.loads(line)))
            except (ValueError, TypeError) as error:
                if key not in self._damaged:
                    _log.warning("%s: a line is not a verdict (%s); it is skipped", self._storage.locate(key), error)
                self._damaged.add(key)
        return found

    def _merge(self, keys: Sequence[str]) -> None:
        """Write the lines of several objects as one, then delete them. What fails is left to the next time."""
        try:
            lines = dict.fromkeys(line for key in keys for line in self._storage.read(key).splitlines(keepends=True))
            name = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
            merged = f"{keys[0].partition('-')[0]}-{name}.jsonl"
            self._storage.write(merged, b"".join(lines))
            for key in keys:
                self._storage.delete(key)
            self._seen.add(merged)
        except StoreError as error:
            _log.info("the log of verdicts was not merged: %s", error)


def _judgment(sent: Sent, id_: str, newest: Judgment | None, place: int) -> Judgment:
    """What is saved: later than what was said before, whatever the clocks of two servers say."""
    now = datetime.now(UTC) + timedelta(microseconds=place)  # later than what is before it in the same save
    if newest:
        now = max(now, datetime.fromisoformat(newest.at) + timedelta(microseconds=1))
    at = now.isoformat(timespec="microseconds")
    return Judgment(id_, sent.check, sent.track_id, sent.verdict, sent.by, at, sent.note, sent.key)


def _line(judgment: Judgment) -> bytes:
    return json.dumps(asdict(judgment)).encode() + b"\n"
