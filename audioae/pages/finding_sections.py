"""The report's findings: for each check the worst ones, each with what a person needs to judge it.

Conventions
-----------
- A check is a mapping: check, title, accuracy (sentences), n_tracks, n_issues, n_unknown, n_findings, threshold,
  measured, omitted, findings.
- A finding is a mapping: group, suggestion, confidence, evidence (of its worst member), n_members, members (key and
  score), neighbors (key, label, score), copies (key, keep).
- A key is looked up in the tracks of the page.
- Evidence is JSON that a check wrote, perhaps in another version: parts of another shape are shown unchanged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from audioae.pages.formats import brief, words
from audioae.pages.markup import Section, left_out, render
from audioae.pages.shell import Key, PageTrack
from audioae.pages.values import nested

SHOWN_EVIDENCE = ("why", "listen_s", "rules", "neighbors", "copies", "keep", "answer", "verdict")

Entry = Mapping[str, Any]
Tracks = Mapping[Key, PageTrack]


def findings(checks: Sequence[Entry], tracks: Tracks, why: str) -> Section:
    """All checks, one below the other; `why` is the reason if there are none."""
    anchor, title = "findings", "Findings"
    if not checks:
        return left_out(anchor, title, why)
    shown = [
        {
            **{
                name: check[name]
                for name in ("n_tracks", "n_issues", "n_unknown", "n_findings", "threshold", "omitted")
            },
            "title": check.get("title") or check["check"],
            "accuracy": check.get("accuracy") or (),
            "measured": nested(check["measured"]),
            "cards": [_card(finding, tracks) for finding in check["findings"]],
        }
        for check in checks
    ]
    return Section(anchor, title, render("findings", checks=shown))


def _card(finding: Entry, tracks: Tracks) -> dict[str, Any]:
    evidence, worst, others = finding["evidence"], finding["members"][0], finding["members"][1:]
    return {
        **{name: finding[name] for name in ("group", "n_members", "suggestion", "confidence")},
        **{name: evidence.get(name) or "" for name in ("why", "answer", "verdict")},
        "key": worst["key"],
        "score": worst["score"],
        "track": tracks[worst["key"]],
        "rules": _rules(evidence.get("rules")),
        "neighbors": _with_tracks(finding["neighbors"], tracks),
        "copies": _with_tracks(finding["copies"], tracks),
        "members": [] if finding["copies"] else _with_tracks(others, tracks),
        "n_more": finding["n_members"] - len(finding["members"]),
        "evidence": nested({name: value for name, value in evidence.items() if name not in SHOWN_EVIDENCE}),
    }


def _with_tracks(entries: Sequence[Entry], tracks: Tracks) -> list[dict[str, Any]]:
    return [{**entry, "track": tracks[entry["key"]]} for entry in entries]


def _rules(rules: Any) -> list[tuple[str, str, str]]:
    rows = [rule for rule in rules if isinstance(rule, Mapping)] if isinstance(rules, list) else []
    return [(words(rule.get("rule", "")), _with_unit(rule, "value"), _with_unit(rule, "limit")) for rule in rows]


def _with_unit(rule: Entry, name: str) -> str:
    return f"{brief(rule.get(name))} {rule.get('unit') or ''}".strip()
