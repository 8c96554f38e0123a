"""Reading findings: an overview per check, the worst findings in order, everything that is known about one track.

Conventions
-----------
- A finding is a track, or all tracks of a group; it is listed once, with the score of its worst track.
- A finding that people judged fine, and that is no issue otherwise, is not listed again. One judged an issue is.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.display import csv_cell
from audioae.errors import NotScreenedError, SearchError, StoreError
from audioae.library.catalog_columns import CatalogColumns, open_columns
from audioae.output import whole_file
from audioae.screening.accuracy import accuracy_sentences
from audioae.screening.ranking import CheckRows, Ranked
from audioae.screening.registry import CHECKS
from audioae.screening.result import common_value
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import FINDINGS

METADATA = ("title", "artist", "album", "label", "uri")
CSV_COLUMNS = (
    *("rank", "check", "track_id", "title", "artist", "album", "label"),
    *("score", "suggestion", "confidence", "why", "uri", "verdict"),
)


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
    def screenings(self) -> dict[str, dict[str, Any]]:
        """By check: threshold, measured, omitted."""
        rows = self.store.read(self.store.manifest(self.ref).parent("screenings")).to_pylist()
        return {row["check"]: {**row, "measured": json.loads(row["measured"])} for row in rows}

    @property
    def outdated(self) -> str | None:
        """A sentence if the screened index is no longer the current one."""
        current = self.store.latest("index")
        if current in (None, self.index_ref):
            return None
        return (
            f"these findings are about {self.index_ref}, but the current index is {current}: "
            "run `audioae run screen CONFIG`"
        )

    def overview(self) -> list[dict[str, Any]]:
        """A row per check.

        Returns
        -------
        rows : list of dict
            check and its title; the numbers of tracks screened, of issues, of findings (an issue, or a group of them),
            and of tracks for which the check "cannot tell"; threshold, measured and omitted as stored; `accuracy`, the
            sentences on what was measured.
        """
        rows = []
        for check, screening in self.screenings.items():
            counts = self._rows(check).count()
            rows.append(
                {
                    "check": check,
                    "title": CHECKS[check].title if check in CHECKS else check,
                    "screened": counts.screened,
                    "issues": counts.issues,
                    "findings": counts.findings,
                    "cannot tell": counts.unknown,
                    **{name: screening[name] for name in ("threshold", "measured", "omitted")},
                    "accuracy": accuracy_sentences(check, screening["measured"]),
                }
            )
        return rows

    def worst(
        self, check: str, budget: int, *, offset: int = 0, issues_only: bool = False
    ) -> tuple[list[dict[str, Any]], int]:
        """The `budget` worst findings of a check, and how many tracks are not listed because they were judged fine.

        Parameters
        ----------
        check : str
        budget : int
        offset : int
            Leave out so many of the worst.
        issues_only : bool
            Only findings below the check's threshold.

        Returns
        -------
        findings : list of dict
            rank, check, track_id and the other columns of the worst track; `group`, `tracks` and `issues` of the
            finding; `members`: a row for each of its tracks, the worst first.
        n_fine : int

        Raises
        ------
        SearchError
            If there is no such check, or the budget is below 1.
        """
        if budget < 1:
            raise SearchError(f"budget={budget}: wanted at least 1")
        ranked = self._ranked(check)
        listed = ranked.listed(issues_only)[offset : offset + budget]
        members = [ranked.grouped.members(finding) for finding in listed]
        rows = self._rows(check).take(np.concatenate([*members, np.empty(0, np.int64)]))
        tracks = iter(self._with_metadata(rows))
        findings = [
            _finding([{"rank": rank, **row} for row in islice(tracks, len(own_rows))])
            for rank, own_rows in enumerate(members, offset + 1)
        ]
        return findings, ranked.n_fine

    def count(self, check: str, *, issues_only: bool = False) -> int:
        """How many findings of a check `worst` can list. Raises `SearchError` if there is no such check."""
        return len(self._ranked(check).listed(issues_only))

    def _ranked(self, check: str) -> Ranked:
        if check not in self.screenings:
            raise SearchError(
                f"{self.ref} has no findings of check {check!r}; it has findings of: {', '.join(self.screenings)}"
            )
        if check not in self._rankings:
            self._rankings[check] = self._rows(check).ranked()
        return self._rankings[check]

    def _rows(self, check: str) -> CheckRows:
        return CheckRows(self.store, self.ref, check, list(self.screenings))

    @cached_property
    def _rankings(self) -> dict[str, Ranked]:
        return {}

    def of_track(self, track_id: str) -> list[dict[str, Any]]:
        """A row per check that looked at the track."""
        rows = [self._rows(check).of_track(track_id) for check in self.screenings]
        return self._with_metadata(pa.concat_tables([FINDINGS.empty_table(), *rows]))

    def _with_metadata(self, rows: pa.Table) -> list[dict[str, Any]]:
        """Rows with the catalog's columns on their tracks, and their evidence parsed."""
        position = self._tracks.ids.rows_of(rows["track_id"].combine_chunks())
        metadata = self._tracks.tracks.select(METADATA).take(pa.array(position, mask=position < 0)).to_pylist()
        described = []
        for row, track in zip(rows.to_pylist(), metadata, strict=True):
            evidence = json.loads(row.pop("evidence") or "{}")
            shown = {"why": evidence.get("why"), "verdict": evidence.get("verdict"), "evidence": evidence}
            described.append({**row, **track, **shown})
        return described

    @cached_property
    def _tracks(self) -> CatalogColumns:
        return open_columns(self.store, self.store.manifest(self.ref).parent("tracks"))


def open_findings(store: Store) -> Findings:
    """The current findings. Raises `NotScreenedError` if nothing has been screened yet."""
    ref = store.latest("findings")
    if ref is None:
        raise NotScreenedError(
            f"{store.storage.locate('')}: the store has no findings yet; run `audioae run screen CONFIG`, "
            "or name another store with --store"
        )
    return Findings(store, ref)


def write_list(findings: Sequence[Mapping[str, Any]], path: str) -> int:
    """Write findings as the CSV in which a person fills in `verdict`, a row per track; returns the number of rows.

    Text is written as `display.csv_cell` has it, except for track_ids, which are read back.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    rows = [row for finding in findings for row in finding["members"]]
    try:
        with whole_file(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, CSV_COLUMNS)
            writer.writeheader()
            writer.writerows({name: _cell(name, row.get(name)) for name in CSV_COLUMNS} for row in rows)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); name a file in an existing folder") from error
    return len(rows)


def _finding(members: list[dict[str, Any]]) -> dict[str, Any]:
    """One finding from its tracks: the columns of the worst track, and the suggestion that all issues share."""
    issues = [row for row in members if row["is_issue"]] or members
    return {
        **members[0],
        "suggestion": common_value([row["suggestion"] or "" for row in issues]) or None,
        "tracks": len(members),
        "issues": sum(row["is_issue"] for row in members),
        "members": members,
    }


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if name == "track_id" else csv_cell(value)
