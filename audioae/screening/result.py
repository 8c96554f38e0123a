"""What every check of a catalog says: one shape, whatever was looked for.

Conventions
-----------
- A score is in [0, 1], low = bad; NaN: the check cannot tell. `is_issue` is the check's decision at its threshold; a
  NaN is never an issue.
- Evidence is what a person needs to check it, as JSON. Its keys, each only where it applies:
  `why` (one sentence), `listen_s` (where to listen, seconds), `rules` (list of rule, value, limit, unit: what fired and
  by how much), `neighbors` (list of track_id, label, score: who says otherwise), `copies` (track_ids), `keep` (the
  track_id to keep), `answer` (of a check with several), `verdict` (what a person said: issue or fine).
- Score, decision and report are three things: a check scores, `verdicts` move the decision, the command and the page
  report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

CHECKS = ("mislabeled", "corrupt", "generated", "duplicate")


@dataclass(frozen=True, eq=False)
class Screened:
    """One check's answer for the tracks that it looked at.

    Parameters
    ----------
    check : str
        One of `CHECKS`.
    track_ids : np.ndarray, shape (n,), str
        In the order of the catalog.
    score : np.ndarray, shape (n,), float32 in [0, 1]
        Low = bad, NaN = cannot tell.
    threshold : float
        Scores below it are issues.
    evidence : mapping of row to mapping
        Of the issues, and of as many of the lowest scores besides as a person may want to see.
    group : np.ndarray, shape (n,), str, optional
        What is one finding together ("album: Kind of Blue"); "" stands alone.
    suggestion : np.ndarray, shape (n,), str, optional
        What should stand there instead ("" none), with `confidence`, shape (n,), in [0, 1] or NaN.
    measured : mapping
        What the check found out about itself in this run (planted swaps, held-out faults), as JSON.
    omitted : sequence of str
        What could not be looked at, a sentence each.
    settled : bool
        False where audio that could not be read kept the check from its work: asked again, it may say more.

    Raises
    ------
    ValueError
        If these do not fit together: a fault of the check, not of the data.
    """

    check: str
    track_ids: np.ndarray
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
        n = len(self.track_ids)
        if self.check not in CHECKS:
            raise ValueError(f"screened: got check {self.check!r}, wanted one of {CHECKS}")
        for name in ("score", "group", "suggestion", "confidence"):
            values = getattr(self, name)
            if values is not None and len(values) != n:
                raise ValueError(f"{self.check}: got {len(values)} of {name} for {n} tracks")
        with np.errstate(invalid="ignore"):
            if ((self.score < 0) | (self.score > 1)).any():
                raise ValueError(f"{self.check}: scores from {np.nanmin(self.score)} to {np.nanmax(self.score)}")
        if wrong := [row for row in self.evidence if not 0 <= row < n]:
            raise ValueError(f"{self.check}: evidence of rows {wrong[:3]}, there are {n} tracks")

    @property
    def is_issue(self) -> np.ndarray:
        """Shape (n,), bool."""
        with np.errstate(invalid="ignore"):
            return self.score < self.threshold


class Grouped(NamedTuple):
    """Findings, worst first: each is a row of its own, or all the rows of one check that share a group.

    Parameters
    ----------
    rows : np.ndarray, shape (n_rows,), int64
        All rows, those of a finding together, the worst of it first.
    starts : np.ndarray, shape (n_findings,), int64
        Where in `rows` each finding starts.
    """

    rows: np.ndarray
    starts: np.ndarray

    @property
    def worst(self) -> np.ndarray:
        """The worst row of each finding, shape (n_findings,)."""
        return self.rows[self.starts]

    @property
    def counts(self) -> np.ndarray:
        """How many rows each finding has, shape (n_findings,)."""
        return np.diff(np.r_[self.starts, len(self.rows)])

    def members(self, finding: int) -> np.ndarray:
        return self.rows[self.starts[finding] :][: self.counts[finding]]


def group_findings(check: np.ndarray, group: np.ndarray, score: np.ndarray, is_issue: np.ndarray) -> Grouped:
    """Put together what is one finding, and order by the worst score of each.

    Issues come before all else, whatever their score: a person may have said so. Scores that cannot tell come last;
    what ties stays in the order of the rows.

    Parameters
    ----------
    check, group : np.ndarray, shape (n,), str
        A group of "" stands alone; one name in two checks is two groups.
    score : np.ndarray, shape (n,), float
        NaN where the check cannot tell.
    is_issue : np.ndarray, shape (n,), bool

    >>> names = np.array(["", "album", "", "album"])
    >>> group_findings(np.full(4, "mislabeled"), names, np.array([0.3, 0.2, 0.9, 0.4]), np.array([1, 1, 0, 1], bool))
    Grouped(rows=array([1, 3, 0, 2]), starts=array([0, 2, 3]))
    """
    n = len(score)
    together = np.flatnonzero(group != "")
    key = np.arange(n)
    if len(together):
        pairs = np.unique(check[together], return_inverse=True)[1], np.unique(group[together], return_inverse=True)[1]
        _, first, member = np.unique(np.stack(pairs), axis=1, return_index=True, return_inverse=True)
        key[together] = together[first[member.ravel()]]
    rank = np.empty(n, np.int64)
    rank[np.lexsort((np.arange(n), np.nan_to_num(score, nan=np.inf), ~is_issue))] = np.arange(n)
    worst = np.full(n, n, np.int64)
    np.minimum.at(worst, key, rank)
    rows = np.lexsort((rank, worst[key]))
    return Grouped(rows, np.flatnonzero(np.r_[True, key[rows][1:] != key[rows][:-1]][:n]))


def shared(values: Sequence[str]) -> str:
    """The one value that all agree on; "" where they do not, or nothing is said.

    >>> shared(["jazz", "", "jazz"]), shared(["jazz", "folk"])
    ('jazz', '')
    """
    said = {value for value in values if value}
    return said.pop() if len(said) == 1 else ""
