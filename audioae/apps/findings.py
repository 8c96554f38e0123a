"""What every check of a catalog says: one shape, whatever was looked for.

Conventions
-----------
- A score is in [0, 1], low = bad; NaN: the check cannot tell. `is_issue` is the check's decision at its threshold; a
  NaN is never an issue.
- Evidence is what a person needs to check it, as JSON. Its keys, each only where it applies:
  `why` (one sentence), `listen_s` (where to listen, seconds), `rules` (list of rule, value, limit, unit: what fired and
  by how much), `neighbors` (list of track_id, label, score: who says otherwise), `copies` (track_ids), `keep` (the
  track_id to keep), `answer` (of a check with several).
- Score, decision and report are three things: a check scores, `verdicts` move the decision, the command and the page
  report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
