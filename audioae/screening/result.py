"""`Screened`, the result of every check, and how its rows are grouped into findings.

Conventions
-----------
- Scores run from 0 (bad) to 1 (fine); NaN means that the check cannot tell. `is_issue` is the check's decision at its
  threshold; a track with NaN is never an issue.
- Evidence is what a person needs to verify an issue, as JSON. All keys are optional:
  `why` (one sentence), `listen_s` (where to listen, in seconds), `rules` (list of rule, value, limit, unit: each rule
  that was broken, and by how much), `neighbors` (list of track_id, label, score: tracks that suggest another label),
  `copies` (track_ids), `keep` (the track_id to keep), `answer` (for a check with more than two answers), `verdict`
  (a person's decision: issue or fine).
- Scoring, deciding and reporting are separate: a check scores, `verdicts` adjusts the decision, the command and the
  page report.
- A result holds arrays: a few bytes per track. Evidence is made when it is written (`EvidenceOf`), block by block: as
  dicts, that of a catalog of millions would not fit in memory.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa


class EvidenceOf(Mapping[int, Mapping[str, Any]]):
    """The evidence of some rows, made each time it is asked for.

    Parameters
    ----------
    rows : np.ndarray, shape (n,), int
    explain : function of int to mapping
        The evidence of one of these rows.

    >>> EvidenceOf(np.array([4, 7]), lambda row: {"why": f"row {row}"})[7]
    {'why': 'row 7'}
    """

    def __init__(self, rows: np.ndarray, explain: Callable[[int], Mapping[str, Any]]):
        self._rows, self._explain = np.unique(np.asarray(rows, np.int64)), explain

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        place = int(np.searchsorted(self._rows, row))
        if place == len(self._rows) or self._rows[place] != row:
            raise KeyError(row)
        return self._explain(int(row))

    def __iter__(self) -> Iterator[int]:
        return map(int, self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True, eq=False)
class Screened:
    """The result of one check.

    Parameters
    ----------
    check : str
        Name of the check.
    track_ids : pa.StringArray or sequence of str, length n
        The tracks that it looked at, in the order of the catalog; kept as an Arrow array.
    score : np.ndarray, shape (n,), float32 in [0, 1]
        Low = bad, NaN = cannot tell.
    threshold : float
        Scores below it are issues.
    evidence : mapping of row to mapping
        For all issues, and for as many of the next-lowest scores as a person may want to see; `EvidenceOf` for many.
    group : np.ndarray, shape (n,), str (object, where n may be large), optional
        Rows with the same group form one finding ("album: Kind of Blue"); a row with "" is a finding by itself.
    suggestion : np.ndarray, shape (n,), str, optional
        The value that would be right ("": none), with `confidence`, shape (n,), in [0, 1] or NaN.
    measured : mapping
        What the check measured about itself in this run (a self-test with known errors), as JSON.
    omitted : sequence of str
        What the check could not look at, one sentence each.
    settled : bool
        False if unreadable audio limited the result: the next run repeats the check.

    Raises
    ------
    ValueError
        If these do not fit together, which is a fault of the check and not of the data.
    """

    check: str
    track_ids: pa.StringArray
    score: np.ndarray
    threshold: float
    evidence: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    group: np.ndarray | None = None
    suggestion: np.ndarray | None = None
    confidence: np.ndarray | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    omitted: Sequence[str] = ()
    settled: bool = True

    def __post_init__(self):
        if not isinstance(self.track_ids, pa.StringArray):
            object.__setattr__(self, "track_ids", pa.array(self.track_ids, pa.string()))
        n = len(self.track_ids)
        for name in ("score", "group", "suggestion", "confidence"):
            values = getattr(self, name)
            if values is not None and len(values) != n:
                raise ValueError(f"{self.check}: got {len(values)} values of {name} for {n} tracks")
        with np.errstate(invalid="ignore"):
            if ((self.score < 0) | (self.score > 1)).any():
                low, high = np.nanmin(self.score), np.nanmax(self.score)
                raise ValueError(f"{self.check}: got scores from {low} to {high}, wanted 0 to 1")
        rows = self.evidence_rows
        if len(unknown := rows[(rows < 0) | (rows >= n)]):
            raise ValueError(f"{self.check}: got evidence for rows {unknown[:3].tolist()}, but there are {n} tracks")

    @property
    def evidence_rows(self) -> np.ndarray:
        """The rows with evidence, ascending, int64."""
        return np.sort(np.fromiter(self.evidence, np.int64, len(self.evidence)))

    @property
    def is_issue(self) -> np.ndarray:
        """Shape (n,), bool."""
        with np.errstate(invalid="ignore"):
            return self.score < self.threshold


class Grouped(NamedTuple):
    """Findings, worst first. A finding is one row, or all rows of a check that share a group.

    Parameters
    ----------
    rows : np.ndarray, shape (n_rows,), int64
        All rows; those of one finding are adjacent, its worst row first.
    starts : np.ndarray, shape (n_findings,), int64
        Position in `rows` where each finding starts.
    """

    rows: np.ndarray
    starts: np.ndarray

    @property
    def worst(self) -> np.ndarray:
        """The worst row of each finding, shape (n_findings,)."""
        return self.rows[self.starts]

    @property
    def counts(self) -> np.ndarray:
        """Number of rows of each finding, shape (n_findings,)."""
        return np.diff(np.r_[self.starts, len(self.rows)])

    def members(self, finding: int) -> np.ndarray:
        return self.rows[self.starts[finding] :][: self.counts[finding]]


def group_findings(check: np.ndarray, group: np.ndarray, score: np.ndarray, is_issue: np.ndarray) -> Grouped:
    """Group rows into findings, and sort the findings by the worst score of each.

    Issues come first whatever their score, because a person may have declared them; rows without a score come last.
    Ties keep the order of the rows.

    Parameters
    ----------
    check, group : np.ndarray, shape (n,), str
        A row with group "" is a finding by itself; the same group name in two checks is two groups.
    score : np.ndarray, shape (n,), float
        NaN where the check cannot tell.
    is_issue : np.ndarray, shape (n,), bool

    >>> names = np.array(["", "album", "", "album"])
    >>> group_findings(np.full(4, "mislabeled"), names, np.array([0.3, 0.2, 0.9, 0.4]), np.array([1, 1, 0, 1], bool))
    Grouped(rows=array([1, 3, 0, 2]), starts=array([0, 2, 3]))
    """
    n = len(score)
    grouped = np.flatnonzero(group != "")
    key = np.arange(n)
    if len(grouped):
        pairs = np.unique(check[grouped], return_inverse=True)[1], np.unique(group[grouped], return_inverse=True)[1]
        _, first, member = np.unique(np.stack(pairs), axis=1, return_index=True, return_inverse=True)
        key[grouped] = grouped[first[member.ravel()]]
    rank = np.empty(n, np.int64)
    rank[np.lexsort((np.arange(n), np.nan_to_num(score, nan=np.inf), ~is_issue))] = np.arange(n)
    worst = np.full(n, n, np.int64)
    np.minimum.at(worst, key, rank)
    rows = np.lexsort((rank, worst[key]))
    return Grouped(rows, np.flatnonzero(np.r_[True, key[rows][1:] != key[rows][:-1]][:n]))


def common_value(values: Sequence[str]) -> str:
    """The one value that all non-empty values equal; "" if they differ or all are empty.

    >>> common_value(["jazz", "", "jazz"]), common_value(["jazz", "folk"])
    ('jazz', '')
    """
    distinct = {value for value in values if value}
    return distinct.pop() if len(distinct) == 1 else ""
