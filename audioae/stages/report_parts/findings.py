"""The worst findings of every check, grouped, as the page of a report takes them.

Conventions
-----------
- A finding is an issue, or several that share a group; its score is the lowest of theirs, and the lowest come first.
- Evidence is JSON that a check wrote: what has another shape than `apps.findings` says is left out or shown as it is.
"""

# pyright: reportAttributeAccessIssue=false

import json
import math
from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc  # its functions are made at import

from audioae.apps.findings import CHECKS
from audioae.stages.report_parts.sounds import Book
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
    table, made_from = store.read(ref), store.manifest(ref).parents.get("embeddings")
    said = []
    if embeddings is not None and made_from not in (None, embeddings.version):
        said.append(f"{ref} was made from embeddings@{made_from}, not from {embeddings}; screen again")
    screenings = {row["check"]: row for row in _screenings(store, ref)}
    present = {*pc.unique(table["check"]).to_pylist(), *screenings}  # a check that could not run has no rows
    checks = []
    for check in (name for name in CHECKS if name in present):
        rows = table.filter(pc.equal(table["check"], check))
        issues = rows.filter(rows["is_issue"]).to_pylist()
        found = _grouped(issues)
        screening = screenings.get(check, {})
        checks.append(
            {
                "check": check,
                "n_tracks": rows.num_rows,
                "n_issues": len(issues),
                "n_unknown": rows["score"].null_count,
                "n_findings": len(found),
                "threshold": screening.get("threshold"),
                "measured": _parsed(screening.get("measured")),
                "omitted": screening.get("omitted") or [],
                "findings": [_finding(members, book) for members in found[:budget]],
            }
        )
    return checks, said


def _screenings(store: Store, findings: DatasetRef) -> list[Entry]:
    """What the checks found out about themselves in the run that made `findings`."""
    parents = store.manifest(findings).parents
    ref = DatasetRef("screenings", parents["screenings"]) if "screenings" in parents else store.latest("screenings")
    return store.read(ref).to_pylist() if ref else []


def _grouped(issues: list[Entry]) -> list[list[Entry]]:
    """Issues that are one finding together, the worst first; so are the findings."""
    groups: dict[str, list[Entry]] = {}
    for i, row in enumerate(issues):
        groups.setdefault(f"group {row['group']}" if row["group"] else f"row {i}", []).append(row)
    members = [sorted(rows, key=_score) for rows in groups.values()]
    return sorted(members, key=lambda rows: (_score(rows[0]), -len(rows)))


def _score(row: Entry) -> float:
    return math.inf if row["score"] is None else row["score"]


def _finding(rows: list[Entry], book: Book) -> Entry:
    worst = rows[0]
    evidence = _parsed(worst["evidence"])
    keep = evidence.get("keep")
    copies = [track_id for track_id in _listed(evidence.get("copies")) if isinstance(track_id, str)]
    if isinstance(keep, str) and copies and keep not in copies:
        copies.insert(0, keep)
    neighbors = [row for row in _listed(evidence.get("neighbors")) if isinstance(row, Mapping) and "track_id" in row]
    suggestions = {row["suggestion"] or "" for row in rows}  # of copies it is the one to keep, which is shown anyway
    return {
        "group": worst["group"] or "",
        "suggestion": suggestions.pop() if len(suggestions) == 1 and not copies else "",
        "confidence": worst["confidence"],
        "evidence": evidence,
        "n_members": len(rows),
        "members": [
            {"key": book.key(row["track_id"], _listen_s(row["evidence"])), "score": row["score"]}
            for row in rows[:MAX_MEMBERS]
        ],
        "neighbors": [
            {"key": book.key(str(row["track_id"])), "label": row.get("label"), "score": _number(row.get("score"))}
            for row in neighbors[:MAX_NEIGHBORS]
        ],
        "copies": [{"key": book.key(track_id), "keep": track_id == keep} for track_id in copies[:MAX_COPIES]],
    }


def _listen_s(evidence: str | None) -> float | None:
    """Where to listen; where the first place begins, if there are several, or spans."""
    place = _parsed(evidence).get("listen_s")
    while isinstance(place, list) and place:
        place = place[0]
    return _number(place)


def _parsed(text: str | None) -> dict[str, Any]:
    """A JSON object; nothing where there is none."""
    try:
        value = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None
