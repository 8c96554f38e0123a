"""Sentences on how accurate a check is: by its self-test, and by people's verdicts.

A document of a check or a version that nobody describes is shown as figures with their names.
"""

from collections.abc import Mapping
from typing import Any

from audioae.screening.registry import CHECKS
from audioae.screening.text import percent

MAX_FIGURES = 8  # of a document without sentences


def accuracy_sentences(check: str, measured: Mapping[str, Any]) -> list[str]:
    """Describe what a check measured about itself, and what verdicts say about it.

    Parameters
    ----------
    check : str
        Name of a check, of the registry or of an older version.
    measured : mapping
        As stored in `screenings`.
    """
    by_check = {name: value for name, value in measured.items() if name != "verdicts"}
    sentences = CHECKS[check].self_test(by_check) if check in CHECKS else []
    if not sentences and (figures := named_figures(by_check)):
        more = f"; {len(figures) - MAX_FIGURES} more figures with --json" if len(figures) > MAX_FIGURES else ""
        sentences = [f"Self-test: {'; '.join(figures[:MAX_FIGURES])}{more}"]
    verdicts = measured.get("verdicts")
    return [*sentences, *(verdict_sentences(verdicts) if isinstance(verdicts, Mapping) else [])]


def verdict_sentences(measured: Mapping[str, Any]) -> list[str]:
    """Describe `Decision.measured`.

    >>> own = {"threshold": 0.5, "precision": 0.8, "recall": None}
    >>> verdict_sentences({"issue": 4, "fine": 1, "the check's own threshold": own})
    ['Verdicts: 4 issue, 1 fine. At its own threshold, 0.5, the check has precision 80 % on these tracks.']
    """
    if not {"issue", "fine"} <= measured.keys():
        return []
    counts = f"Verdicts: {measured['issue']} issue, {measured['fine']} fine."
    own, learned = measured.get("the check's own threshold"), measured.get("calibrated")
    if isinstance(own, Mapping) and (values := _precision_recall(own)):
        counts += f" At its own threshold, {own['threshold']:.2g}, the check has {values} on these tracks."
    sentences = [counts]
    if isinstance(learned, Mapping) and (values := _precision_recall(learned)):
        sentences.append(
            f"The threshold learned from the verdicts, {learned['threshold']:.2g}, has {values} (cross-validated)."
        )
    elif note := measured.get("note"):
        sentences.append(f"{str(note)[:1].upper()}{str(note)[1:]}.")
    return sentences


def named_figures(measured: Any, name: str = "") -> list[str]:
    """Numbers of a nested document with their names; those of a level before those of the levels below.

    >>> named_figures({"types": {"hum": {"seen": 0.9}}, "broken": 0.1})
    ['broken 0.1', 'types hum seen 0.9']
    """
    if isinstance(measured, Mapping):
        ordered = sorted(measured.items(), key=lambda item: isinstance(item[1], Mapping))
        return [line for key, value in ordered for line in named_figures(value, f"{name} {key}".strip())]
    return [f"{name} {measured:.3g}"] if isinstance(measured, int | float) else []


def _precision_recall(values: Mapping[str, Any]) -> str:
    return " and ".join(
        f"{name} {percent(values[name])}" for name in ("precision", "recall") if values.get(name) is not None
    )
