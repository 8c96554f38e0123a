"""The worst findings of every check, as the page shows them.

Conventions
-----------
- Only issues are listed, in the groups of `audioae findings`, the worst first.
- Evidence is JSON that a check wrote, perhaps in another version: parts that do not have the shape described in
  `screening.result` are skipped or shown unchanged.
"""

import math
from collections.abc import Mapping
from typing import Any

from audioae.report.excerpts import PageTracks
from audioae.screening.findings import Findings
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

MAX_MEMBERS, MAX_NEIGHBORS, MAX_COPIES = 8, 5, 6

Entry = dict[str, Any]


def read_findings(
    store: Store, embeddings: DatasetRef | None, tracks: PageTracks, budget: int
) -> tuple[list[Entry], list[str]]:
    """The `budget` worst findings of each check, and a sentence if they are outdated.

    Parameters
    ----------
    store : Store
    embeddings : DatasetRef or None
        The embeddings that the page shows. Findings made from other ones are outdated.
    tracks : PageTracks
        Gets every track that a finding names.
    budget : int
        Findings per check.
    """
    ref = store.latest("findings")
    if ref is None:
        return [], []
    findings, made_from = Findings(store, ref), store.manifest(ref).parent("embeddings")
    outdated = []
    if embeddings not in (None, made_from):
        outdated.append(f"{ref} was made from {made_from}, not from {embeddings}: run `audioae run screen` again")
    checks = [
        {
            "check": row["check"],
            "n_tracks": row["screened"],
            "n_issues": row["issues"],
            "n_unknown": row["cannot tell"],
            "n_findings": row["findings"],
            **{name: row[name] for name in ("title", "accuracy", "threshold", "measured", "omitted")},
            "findings": [
                _finding(worst, tracks) for worst in findings.worst(row["check"], budget, issues_only=True)[0]
            ],
        }
        for row in findings.overview()
    ]
    return checks, outdated


def _finding(worst: Entry, tracks: PageTracks) -> Entry:
    evidence, members = worst["evidence"], [row for row in worst["members"] if row["is_issue"]]
    keep = evidence.get("keep")
    copies = [track_id for track_id in _as_list(evidence.get("copies")) if isinstance(track_id, str)]
    if isinstance(keep, str) and copies and keep not in copies:
        copies.insert(0, keep)
    neighbors = [row for row in _as_list(evidence.get("neighbors")) if isinstance(row, Mapping) and "track_id" in row]
    return {
        "group": worst["group"] or "",
        "suggestion": "" if copies else worst["suggestion"] or "",  # with copies, the list shows which one to keep
        "confidence": worst["confidence"],
        "evidence": evidence,
        "n_members": len(members),
        "members": [
            {"key": tracks.key(row["track_id"], _listen_s(row["evidence"])), "score": row["score"]}
            for row in members[:MAX_MEMBERS]
        ],
        "neighbors": [
            {"key": tracks.key(str(row["track_id"])), "label": row.get("label"), "score": _number(row.get("score"))}
            for row in neighbors[:MAX_NEIGHBORS]
        ],
        "copies": [{"key": tracks.key(track_id), "keep": track_id == keep} for track_id in copies[:MAX_COPIES]],
    }


def _listen_s(evidence: Entry) -> float | None:
    """Where to listen; the start of the first of several times or ranges."""
    time = evidence.get("listen_s")
    while isinstance(time, list) and time:
        time = time[0]
    return _number(time)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None
