"""The report's section of findings: per check the worst ones, each with what a person needs to judge it.

Conventions
-----------
- A check is a mapping: check, title, accuracy (sentences), n_tracks, n_issues, n_unknown, n_findings, threshold,
  measured, omitted, findings.
- A finding is a mapping: group, suggestion, confidence, evidence (what the check gave of the worst member), n_members,
  members (key, score), neighbors (key, label, score), copies (key, keep).
- Tracks are looked up by key among those that the page names.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from audioae.pages.markup import Section, brief, clip_button, escape, left_out, number, table
from audioae.pages.shell import Key, Shown
from audioae.pages.values import nested

KNOWN = ("why", "listen_s", "rules", "neighbors", "copies", "keep", "answer", "verdict")
NOTE = (
    "The worst come first; a click on a spectrogram plays 3 s from the second that is written below it (22 kHz, "
    "24 kb/s: enough to hear what it is, not to judge its quality). A score is from 0, bad, to 1, fine. These are "
    "suggestions to check, none is a verdict."
)

Entry = Mapping[str, Any]
Tracks = Mapping[Key, Shown]


def findings(checks: Sequence[Entry], tracks: Tracks, why: str) -> Section:
    """All checks, one below the other."""
    title = "Findings"
    if not checks:
        return Section("findings", title, left_out(why))
    body = "".join(_check(check, tracks) for check in checks)
    return Section("findings", title, f'<p class="note">{NOTE}</p>{body}')


def _check(check: Entry, tracks: Tracks) -> str:
    name = escape(check.get("title") or check["check"])
    sums = f"{check['n_issues']:,} of {check['n_tracks']:,} tracks are issues"
    sums += "." if check["threshold"] is None else f": their score is below {number(check['threshold'], 2)}."
    if check["n_unknown"]:
        sums += f" Of {check['n_unknown']:,} the check cannot tell."
    sums = sums if check["n_tracks"] else "It looked at no track."
    shown, n = len(check["findings"]), check["n_findings"]
    if shown < n:
        sums += f" Shown are the {shown} worst of {n:,} findings."
    cards = "".join(_card(finding, tracks) for finding in check["findings"])
    omitted = "".join(f"<li>{escape(sentence)}</li>" for sentence in check["omitted"])
    accuracy = "".join(f'<p class="note">{escape(sentence)}</p>' for sentence in check.get("accuracy", ()))
    measured = nested(check["measured"])
    return (
        f'<div class="check"><h3>{name}</h3><p class="note">{sums}</p>{accuracy}'
        + (f'<div class="findings">{cards}</div>' if cards else "")
        + (
            f"<details{'' if accuracy else ' open'}><summary>Figures of the self-test</summary>{measured}</details>"
            if measured
            else ""
        )
        + (f'<ul class="omitted">{omitted}</ul>' if omitted else "")
        + "</div>"
    )


def _card(finding: Entry, tracks: Tracks) -> str:
    evidence, worst = finding["evidence"], finding["members"][0]
    own = tracks[worst["key"]]
    head = f"<b>{escape(own.title)}</b><span>{escape(own.artist)}</span><small>{escape(own.label)}</small>"
    if finding["n_members"] > 1:
        n = f"{finding['n_members']:,} tracks are one finding; the worst: {escape(own.title)}"
        head = f"<b>{escape(finding['group'])}</b><span>{n}</span>"
    rest = nested({key: value for key, value in evidence.items() if key not in KNOWN})
    words = (
        f'<h4 class="who">{head}</h4>'
        + _answer(finding, worst["score"])
        + (f"<p>{escape(evidence['why'])}</p>" if evidence.get("why") else "")
        + _rules(evidence.get("rules"))
        + _list(
            "its nearest tracks, with the labels that they claim",
            [_neighbor(entry, tracks) for entry in finding["neighbors"]],
        )
        + _list("copies", [_copy(entry, tracks) for entry in finding["copies"]])
        + ("" if finding["copies"] else _list("also in this finding", _members(finding, tracks)))
        + (f"<details><summary>More evidence</summary>{rest}</details>" if rest else "")
    )
    said = "" if own.start_s is None else f"<small>from {_clock(own.start_s)}</small>"
    silent = "" if own.clip else "<small>cannot be heard</small>"
    player = f'<div class="player">{clip_button(worst["key"])}{said}{silent}</div>'
    return f'<article class="finding">{player}<div class="words">{words}</div></article>'


def _clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> _clock(59.96), _clock(61.5)
    ('1:00.0', '1:01.5')
    """
    minutes, tenths = divmod(round(10 * seconds), 600)
    return f"{minutes}:{tenths / 10:04.1f}"


def _answer(finding: Entry, score: float | None) -> str:
    parts = [f"score <b>{number(score, 2)}</b>"]
    if finding["evidence"].get("answer"):
        parts.append(f"answer <b>{escape(finding['evidence']['answer'])}</b>")
    if finding["suggestion"]:
        sure = finding["confidence"]
        said = "" if sure is None else f" (confidence {number(sure, 2)})"
        parts.append(f"rather <b>{escape(finding['suggestion'])}</b>{said}")
    if finding["evidence"].get("verdict"):
        parts.append(f"judged <b>{escape(finding['evidence']['verdict'])}</b>")
    return f'<p class="answer">{" · ".join(parts)}</p>'


def _rules(rules: Any) -> str:
    if not isinstance(rules, list) or not rules:
        return ""
    rows = [
        (
            escape(str(rule.get("rule", "")).replace("_", " ")),
            *(escape(f"{brief(rule.get(key))} {rule.get('unit') or ''}") for key in ("value", "limit")),
        )
        for rule in rules
        if isinstance(rule, Mapping)
    ]
    return table(("rule", "found", "limit"), rows)


def _neighbor(entry: Entry, tracks: Tracks) -> str:
    label, own = entry["label"] or "no label", tracks[entry["key"]]
    said = f"<b>{escape(label)}</b> {escape(own.title)} <small>{number(entry['score'], 2)}</small>"
    return f"{clip_button(entry['key'], 'small')}<span>{said}</span>"


def _copy(entry: Entry, tracks: Tracks) -> str:
    own = tracks[entry["key"]]
    keep = "keep: " if entry["keep"] else ""
    said = f"<b>{keep}{escape(own.title)}</b> <small>{escape(own.uri)}</small>"
    return f"{clip_button(entry['key'], 'small')}<span>{said}</span>"


def _members(finding: Entry, tracks: Tracks) -> list[str]:
    items = []
    for entry in finding["members"][1:]:
        own = tracks[entry["key"]]
        said = f"<b>{escape(own.title)}</b> <small>{escape(own.label)} {number(entry['score'], 2)}</small>"
        items.append(f"{clip_button(entry['key'], 'small')}<span>{said}</span>")
    more = finding["n_members"] - len(finding["members"])
    return items + [f"<small>and {more:,} more</small>"] * (more > 0)


def _list(name: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    entries = "".join(f"<li>{item}</li>" for item in items)
    return f'<p class="of">{name}</p><ul class="near">{entries}</ul>'
