"""What people say about findings: each person's latest verdict, the one that is shown, and who says otherwise.

Conventions
-----------
- A judgment is one person's verdict on one track for one check: issue, fine, or None, which takes an earlier one back.
- Of several people's verdicts, the newest is shown and is what the screening takes; all are listed.
- Adding judgments in any order, and more than once, gives the same board.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from audioae.display import csv_cell
from audioae.screening.registry import CHECKS

Word = Literal["issue", "fine"]
CSV_COLUMNS: tuple[str, ...] = ("check", "track_id", "verdict", "by", "at", "note", "others")


@dataclass(frozen=True, slots=True)
class Judgment:
    """One person's verdict.

    Parameters
    ----------
    id : str
        Unique among all judgments.
    check, track_id : str
    verdict : "issue", "fine" or None
    by : str
        Who says so.
    at : str
        When: ISO 8601 in UTC, with microseconds, so that texts sort as times do.
    note : str
    key : str or None
        The name of the API key that it was sent with.
    """

    id: str
    check: str
    track_id: str
    verdict: Word | None
    by: str
    at: str
    note: str = ""
    key: str | None = None

    @property
    def order(self) -> tuple[str, str]:
        """A later judgment has a larger one."""
        return self.at, self.id


class Board:
    """Each person's latest judgment on each track, for each check. It never changes."""

    def __init__(self):
        self._latest: dict[tuple[str, str], dict[str, Judgment]] = {}
        self._hash = 0

    def plus(self, judgments: Iterable[Judgment]) -> "Board":
        """A board with these judgments, too."""
        board = Board()
        board._latest, board._hash = dict(self._latest), self._hash
        for one in judgments:
            people = board._latest.get((one.check, one.track_id), {})
            known = people.get(one.by)
            if known is None or one.order > known.order:
                board._hash ^= _hash(one) ^ (_hash(known) if known else 0)
                board._latest[one.check, one.track_id] = {**people, one.by: one}
        return board

    @property
    def revision(self) -> str:
        """Changes with whatever is said; the same wherever the same was read."""
        return f"{self._hash:016x}"

    def newest(self, check: str, track_id: str) -> Judgment | None:
        """The judgment that is shown: the newest that was not taken back; if all were, the newest."""
        people = self._latest.get((check, track_id), {}).values()
        said = [one for one in people if one.verdict] or people
        return max(said, key=lambda one: one.order, default=None)

    def others(self, shown: Judgment) -> list[Judgment]:
        """What other people say about the same, the newest first."""
        people = self._latest[shown.check, shown.track_id].values()
        said = [one for one in people if one.by != shown.by and one.verdict]
        return sorted(said, key=lambda one: one.order, reverse=True)

    def shown(self, check: str | None = None) -> Iterator[Judgment]:
        """The verdicts in force, by check and track; of one check or of all."""
        for key in sorted(self._latest):
            newest = self.newest(*key) if check in (None, key[0]) else None
            if newest and newest.verdict:
                yield newest

    def is_issue(self) -> dict[str, dict[str, bool]]:
        """For each check that there is, the track_ids with a verdict and whether it says issue."""
        found: dict[str, dict[str, bool]] = {}
        for one in self.shown():
            if one.check in CHECKS:
                found.setdefault(one.check, {})[one.track_id] = one.verdict == "issue"
        return found

    def to_csv(self, check: str | None = None) -> str:
        """The verdicts in force as the CSV that `screen.verdicts` takes; `others` has those who say otherwise."""
        stream = io.StringIO(newline="")
        writer = csv.DictWriter(stream, CSV_COLUMNS)
        writer.writeheader()
        for one in self.shown(check):
            if one.check in CHECKS:
                others = [other for other in self.others(one) if other.verdict != one.verdict]
                differing = [f"{other.by}: {other.verdict}" for other in others]
                texts = {"by": csv_cell(one.by), "note": csv_cell(one.note), "others": csv_cell("; ".join(differing))}
                row = {"check": one.check, "track_id": one.track_id, "verdict": one.verdict, "at": one.at}
                writer.writerow(row | texts)
        return stream.getvalue()


def _hash(judgment: Judgment) -> int:
    return int.from_bytes(blake2b(judgment.id.encode(), digest_size=8).digest())
