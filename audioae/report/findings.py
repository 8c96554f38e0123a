"""The worst findings of every check, as the page of a report takes them.

Conventions
-----------
- What is listed are issues, grouped as `audioae findings` groups them: the worst first.
- Evidence is JSON that a check wrote: parts that do not have the shape of `screening.result` are left out or shown
  unchanged.
"""

import math
from collections.abc import Mapping
from typing import Any

from audioae.report.excerpts import Book
from audioae.screening.findings import Findings
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

MAX_MEMBERS, MAX_NEIGHBORS, MAX_COPIES = 8, 5, 6

Entry = dict[str, Any]


def read_findings(
    store: Store, embeddings: DatasetRef | None, book: Book, budget: int
) -> tuple[list[Entry], list[str]]:
    """The `budget` worst findings of each check; and sentences on what is to be known of them all.

    Parameters
    ----------
    store : Store
    embeddings : DatasetRef or None
        What the report is about: findings made from another version are named as such.
    book : Book
        Is told of every track that a finding names.
    budget : int
        Findings per check.
    """
    ref = store.latest("findings")
    if ref is None:
        return [], []
    found, made_from = Findings(store, ref), store.manifest(ref).parent("embeddings")
    said = []
    if embeddings not in (None, made_from):
        said.append(f"{ref} was made from {made_from}, not from {embeddings}; screen again")
    checks = [
        {
            "check": row["check"],
            "n_tracks": row["screened"],
            "n_issues": row["issues"],
            "n_unknown": row["cannot tell"],
            "n_findings": row["findings"],
            **{name: row[name] for name in ("title", "accuracy", "threshold", "measured", "omitted")},
            "findings": [_finding(worst, book) for worst in found.worst(row["check"], budget, issues_only=True)[0]],
        }
        for row in found.overview()
    ]
    return checks, said


def _finding(worst: Entry, book: Book) -> Entry:
    evidence, members = worst["evidence"], [row for row in worst["members"] if row["is_issue"]]
    keep = evidence.get("keep")
    copies = [track_id for track_id in _listed(evidence.get("copies")) if isinstance(track_id, str)]
    if isinstance(keep, str) and copies and keep not in copies:
        copies.insert(0, keep)
    neighbors = [row for row in _listed(evidence.get("neighbors")) if isinstance(row, Mapping) and "track_id" in row]
    return {
        "group": worst["group"] or "",
        "suggestion": "" if copies else worst["suggestion"] or "",  # of copies it is the one to keep, shown anyway
        "confidence": worst["confidence"],
        "evidence": evidence,
        "n_members": len(members),
        "members": [
            {"key": book.key(row["track_id"], _listen_s(row["evidence"])), "score": row["score"]}
            for row in members[:MAX_MEMBERS]
        ],
        "neighbors": [
            {"key": book.key(str(row["track_id"])), "label": row.get("label"), "score": _number(row.get("score"))}
            for row in neighbors[:MAX_NEIGHBORS]
        ],
        "copies": [{"key": book.key(track_id), "keep": track_id == keep} for track_id in copies[:MAX_COPIES]],
    }


def _listen_s(evidence: Entry) -> float | None:
    """Where to listen; where the first place begins, if there are several, or spans."""
    place = evidence.get("listen_s")
    while isinstance(place, list) and place:
        place = place[0]
    return _number(place)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None
