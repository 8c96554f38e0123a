"""Reading findings: what every check found, its worst findings in order, all that is said about one track.

Conventions
-----------
- A finding is a track, or all tracks of a group; it is listed once, with the score of its worst track.
- A finding that is no issue because a person judged it fine is not listed again; what was judged an issue is.
"""

# pyright: reportAttributeAccessIssue=false

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import SearchError, StoreError
from audioae.screening.result import Grouped, group_findings, shared
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

FACTS = ("title", "artist", "album", "label", "uri")
CSV_COLUMNS = (
    *("rank", "check", "track_id", "title", "artist", "album", "label"),
    *("score", "suggestion", "confidence", "why", "uri", "verdict"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet computes


@dataclass(frozen=True)
class Findings:
    """The findings of one screening, opened for questions.

    Parameters
    ----------
    store : Store
    ref : DatasetRef
        A version of `findings`.
    """

    store: Store
    ref: DatasetRef

    @cached_property
    def index_ref(self) -> DatasetRef:
        return self.store.manifest(self.ref).parent("index")

    @cached_property
    def table(self) -> pa.Table:
        return self.store.read(self.ref).combine_chunks()

    @cached_property
    def screenings(self) -> dict[str, dict[str, Any]]:
        """By check: threshold, measured, omitted."""
        rows = self.store.read(self.store.manifest(self.ref).parent("screenings")).to_pylist()
        return {row["check"]: {**row, "measured": json.loads(row["measured"])} for row in rows}

    @property
    def outdated(self) -> str | None:
        """A sentence, where the index that was screened is not the current one."""
        current = self.store.latest("index")
        if current in (None, self.index_ref):
            return None
        return f"these are about {self.index_ref}, the current one is {current}: run python -m flows.screen CONFIG"

    def overview(self) -> list[dict[str, Any]]:
        """A row per check: what it looked at, what it found, and what it found out about itself."""
        checks, findings = self.table["check"], []
        for check, told in self.screenings.items():
            rows = self.table.filter(pc.equal(checks, check))
            issues = rows.filter(rows["is_issue"])
            findings.append(
                {
                    "check": check,
                    "screened": rows.num_rows,
                    "issues": issues.num_rows,
                    "findings": len(_grouped(issues).starts),
                    "cannot tell": rows["score"].null_count,
                    **{name: told[name] for name in ("threshold", "measured", "omitted")},
                }
            )
        return findings

    def worst(self, check: str, budget: int, *, issues_only: bool = False) -> tuple[list[dict[str, Any]], int]:
        """The `budget` worst findings of a check, and how many tracks are left out because they were judged fine.

        Returns
        -------
        findings : list of dict
            rank, check, track_id and the rest of the worst track; `group`, `tracks` and `issues` of the finding;
            `members`: a row for each of its tracks, the worst first.
        n_fine : int

        Raises
        ------
        SearchError
            If there is no such check, or the budget is below 1.
        """
        if check not in self.screenings:
            raise SearchError(f"no findings of check {check!r} in {self.ref}; there are: {', '.join(self.screenings)}")
        if budget < 1:
            raise SearchError(f"budget={budget}: wanted at least 1")
        rows = self.table.filter(pc.equal(self.table["check"], check))
        fine = _judged_fine(rows["evidence"])
        grouped = _grouped(rows)
        has_issue, n_fine = (_sums(values, grouped) for values in (rows["is_issue"].to_numpy(), fine))
        done = (has_issue == 0) & (n_fine > 0)
        wanted = np.flatnonzero(has_issue if issues_only else ~done)[:budget]
        members = [grouped.members(finding) for finding in wanted]
        described = iter(self._described(rows.take(pa.array(np.concatenate([*members, np.empty(0, np.int64)])))))
        findings = [
            _finding([{"rank": rank, **row} for row in islice(described, len(own))])
            for rank, own in enumerate(members, 1)
        ]
        return findings, int(n_fine[done].sum())

    def of_track(self, track_id: str) -> list[dict[str, Any]]:
        """What each check that looked at a track says of it."""
        return self._described(self.table.filter(pc.equal(self.table["track_id"], track_id)))

    def _described(self, rows: pa.Table) -> list[dict[str, Any]]:
        """Rows with the catalog's facts about their tracks, and their evidence unpacked."""
        place = pc.index_in(rows["track_id"], value_set=self._tracks["track_id"].combine_chunks())
        metadata = self._tracks.select(FACTS).take(place).to_pylist()
        found = []
        for row, fact in zip(rows.to_pylist(), metadata, strict=True):
            evidence = json.loads(row.pop("evidence") or "{}")
            found.append(
                {**row, **fact, "why": evidence.get("why"), "verdict": evidence.get("verdict"), "evidence": evidence}
            )
        return found

    @cached_property
    def _tracks(self) -> pa.Table:
        return self.store.read(self.store.manifest(self.ref).parent("tracks"), ["track_id", *FACTS])


def open_findings(store: Store) -> Findings:
    """The current findings. Raises `StoreError` if nothing was screened yet."""
    ref = store.latest("findings")
    if ref is None:
        raise StoreError(
            f"{store.storage.locate('')}: the store has no findings yet; run python -m flows.screen CONFIG, "
            "or name the store with --store"
        )
    return Findings(store, ref)


def write_list(findings: Sequence[Mapping[str, Any]], path: str) -> int:
    """Write findings as the CSV in which a person fills in `verdict`, a row per track; returns the number of rows.

    A text that a spreadsheet would compute ("=1+1") gets an apostrophe before it.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    rows = [row for finding in findings for row in finding["members"]]
    try:
        with Path(path).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, CSV_COLUMNS)
            writer.writeheader()
            writer.writerows({name: _cell(name, row.get(name)) for name in CSV_COLUMNS} for row in rows)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that exists"
        ) from error
    return len(rows)


def _grouped(rows: pa.Table) -> Grouped:
    return group_findings(
        rows["check"].to_numpy(),
        pc.fill_null(rows["group"], "").to_numpy(),
        rows["score"].to_numpy(),
        rows["is_issue"].to_numpy(),
    )


def _finding(members: list[dict[str, Any]]) -> dict[str, Any]:
    """One finding of its tracks: the worst of them speaks, what they agree on is suggested."""
    issues = [row for row in members if row["is_issue"]] or members
    return {
        **members[0],
        "suggestion": shared([row["suggestion"] or "" for row in issues]) or None,
        "tracks": len(members),
        "issues": sum(row["is_issue"] for row in members),
        "members": members,
    }


def _sums(values: np.ndarray, grouped: Grouped) -> np.ndarray:
    """Over the rows of each finding."""
    return np.add.reduceat(values[grouped.rows].astype(int), grouped.starts) if len(values) else np.empty(0, int)


def _judged_fine(evidence: pa.ChunkedArray) -> np.ndarray:
    """Which rows a person judged fine; only evidence that speaks of verdicts is unpacked."""
    texts = evidence.to_numpy()
    likely = np.flatnonzero(pc.fill_null(pc.match_substring(evidence, '"verdict"'), False).to_numpy())
    fine = np.zeros(len(texts), bool)
    fine[likely] = [json.loads(texts[row]).get("verdict") == "fine" for row in likely]
    return fine


def _cell(name: str, value: Any) -> Any:
    """Tags are written by strangers, and a spreadsheet runs what looks like a formula; track_ids are read back."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"'{value}" if name != "track_id" and isinstance(value, str) and value.startswith(FORMULA) else value
