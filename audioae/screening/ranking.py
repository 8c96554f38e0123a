"""The rows of one check among findings, read in blocks, and its findings from the worst to the best.

Conventions
-----------
- A row is a position among the rows of one check.
- Ranking keeps 20 bytes per row. Texts are read again for the rows that are shown.
- A part is named after its check; a part with another name is filtered by its column `check`.
"""

# pyright: reportAttributeAccessIssue=false

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.screening.result import Grouped, group_findings
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import FINDINGS

BLOCK = 1 << 16  # rows in memory with their texts


class Ranked(NamedTuple):
    """The findings of one check from the worst to the best, and per finding what it takes to list it.

    Attributes
    ----------
    grouped : Grouped
    n_issues : np.ndarray, shape (n_findings,), int
    is_done : np.ndarray, shape (n_findings,), bool
        Judged fine, and no issue.
    n_fine : int
        Tracks judged fine that are not listed.
    """

    grouped: Grouped
    n_issues: np.ndarray
    is_done: np.ndarray
    n_fine: int

    def listed(self, issues_only: bool) -> np.ndarray:
        """The findings that are listed, the worst first."""
        return np.flatnonzero(self.n_issues if issues_only else ~self.is_done)


class Counts(NamedTuple):
    """How many tracks of a check were screened, are issues, and have no score; and how many findings the issues are."""

    screened: int
    issues: int
    unknown: int
    findings: int


class CheckRows:
    """The rows of one check in a version of `findings`.

    Parameters
    ----------
    store : Store
    ref : DatasetRef
    check : str
    checks : sequence of str
        All checks of the version.
    """

    def __init__(self, store: Store, ref: DatasetRef, check: str, checks: Sequence[str]):
        self._store, self._check, self._checks = store, check, checks
        self._parts = [part.name.removesuffix(".parquet") for part in store.manifest(ref).parts]

    def blocks(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows in their order, in blocks, with some columns."""
        for name in self._parts:
            owner = name.rsplit("-", 1)[0]
            if owner == self._check:
                yield from self._store.part_blocks("findings", name, columns, rows=BLOCK)
            elif owner not in self._checks:
                for block in self._store.part_blocks("findings", name, list({*columns, "check"}), rows=BLOCK):
                    yield block.filter(pc.equal(block["check"], self._check)).select(columns)

    def take(self, rows: np.ndarray) -> pa.Table:
        """Some rows with all columns, in the given order."""
        order = np.argsort(rows, kind="stable")
        wanted, start = rows[order], 0
        taken = [FINDINGS.empty_table()]
        for block in self.blocks(FINDINGS.names) if len(rows) else ():
            first, last = np.searchsorted(wanted, (start, start + block.num_rows))
            if last > first:
                taken.append(block.take(pa.array(wanted[first:last] - start)))
            start += block.num_rows
            if last == len(wanted):
                break
        places = np.empty(len(rows), np.int64)
        places[order] = np.arange(len(rows))
        return pa.concat_tables(taken).take(pa.array(places))

    def of_track(self, track_id: str) -> pa.Table:
        """The rows of one track with all columns."""
        start = 0
        for block in self.blocks(["track_id"]):
            if (row := pc.index(block["track_id"], track_id).as_py()) >= 0:
                return self.take(np.array([start + row]))
            start += block.num_rows
        return FINDINGS.empty_table()

    def count(self) -> Counts:
        """Read no texts but the groups of issues."""
        n = unknown = 0
        issues = [FINDINGS.empty_table().select(["score", "is_issue", "group"])]
        for block in self.blocks(["score", "is_issue", "group"]):
            n += block.num_rows
            unknown += block["score"].null_count
            issues.append(block.filter(block["is_issue"]))
        table = pa.concat_tables(issues)
        columns = (table[name] for name in ("group", "score", "is_issue"))
        return Counts(n, table.num_rows, unknown, len(_grouped(*columns).starts))

    def ranked(self) -> Ranked:
        """Rank all findings of the check."""
        columns = ("group", "score", "is_issue")
        kept, fine = [FINDINGS.empty_table().select(columns)], [np.empty(0, bool)]
        for block in self.blocks([*columns, "evidence"]):
            fine.append(_judged_fine(block["evidence"]))
            kept.append(block.select(columns))
        table = pa.concat_tables(kept)
        grouped = _grouped(*(table[name] for name in columns))
        n_issues, n_fine = (_sums(v, grouped) for v in (table["is_issue"].to_numpy(), np.concatenate(fine)))
        is_done = (n_issues == 0) & (n_fine > 0)
        return Ranked(grouped, n_issues, is_done, int(n_fine[is_done].sum()))


def _grouped(group: pa.ChunkedArray, score: pa.ChunkedArray, is_issue: pa.ChunkedArray) -> Grouped:
    names = pc.fill_null(group, "").to_numpy()
    return group_findings(np.broadcast_to("", len(names)), names, score.to_numpy(), is_issue.to_numpy())


def _sums(values: np.ndarray, grouped: Grouped) -> np.ndarray:
    """Sums over the rows of each finding."""
    return np.add.reduceat(values[grouped.rows].astype(int), grouped.starts) if len(values) else np.empty(0, int)


def _judged_fine(evidence: pa.ChunkedArray) -> np.ndarray:
    """Which rows a person judged fine; only evidence with the word verdict is parsed."""
    candidates = np.flatnonzero(pc.fill_null(pc.match_substring(evidence, '"verdict"'), False).to_numpy())
    fine = np.zeros(len(evidence), bool)
    texts = evidence.take(pa.array(candidates)).to_pylist()
    fine[candidates] = [json.loads(text).get("verdict") == "fine" for text in texts]
    return fine
