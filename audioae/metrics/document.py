"""The answers to all questions as one document: what JSON, the terminal's table and the page show.

Conventions
-----------
- `subjects` are the embeddings under evaluation first, then what they are compared with, on the same tracks.
- A verdict says how the first subject stands against another one: "better", "worse", or "none" where the interval of
  the difference holds 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.metric import Metric, MetricSet, difference

SIGNS = {"better": "+", "none": "=", "worse": "-"}
COMPARED = ("mAP by label", "kNN by label", "linear probe", "R2", "skewness", "never")


def compare_answers(answers: Mapping[str, MetricSet]) -> list[dict[str, Any]]:
    """One entry per metric of the first subject, with every subject's value, interval and verdict.

    Returns
    -------
    metrics : list of dict
        key, higher_is_better, n, subjects: name to value, low, high and, but for the first, difference and verdict.
    """
    (own, answer), *others = answers.items()
    by_key = {name: {metric.key: metric for metric in other.metrics} for name, other in others}
    entries = []
    for metric in answer.metrics:
        subjects: dict[str, Any] = {own: _interval(metric)}
        for name, found in by_key.items():
            if metric.key in found:
                subjects[name] = {**_interval(found[metric.key]), **_verdict(metric, found[metric.key])}
        entries.append(
            {"key": metric.key, "higher_is_better": metric.higher_is_better, "n": metric.n, "subjects": subjects}
        )
    return entries


def confusion(labels: np.ndarray, predicted: np.ndarray, how: str) -> dict[str, Any]:
    """Counts of (label, predicted label), both "" where not known; rows are the catalog's labels."""
    names = sorted({str(label) for label in labels if label})
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), int)
    for label, guess in zip(labels, predicted, strict=True):
        if label and guess:
            counts[place[str(label)], place[str(guess)]] += 1
    return {"labels": names, "counts": counts.tolist(), "how": how}


def hub_rows(hubs: Sequence[tuple[int, int]], metadata: TrackMetadata, titles: Sequence[str]) -> list[dict[str, Any]]:
    """The biggest hubs as rows."""
    return [
        {
            "track_id": str(metadata.ids[row]),
            "title": titles[row],
            "artist": str(metadata.artists[row]),
            "label": str(metadata.labels[row]),
            "k_occurrence": count,
        }
        for row, count in hubs
    ]


def metric_table(document: Mapping[str, Any]) -> Table:
    """The terminal's table: a row per metric, the first subject, and how it stands against the others.

    All values and intervals are in the JSON and on the page.
    """
    table = Table(title=f"{document['subject']}: {document['n_tracks']} tracks", title_justify="left")
    table.add_column("")
    for column in ("value", "95 % interval", "best of the others", ""):
        table.add_column(column, justify="right", no_wrap=column != "best of the others")
    for metric in document["metrics"]:
        (_, own), *others = metric["subjects"].items()
        down = metric["higher_is_better"] is False
        best, found = min(others, key=lambda pair: pair[1]["value"] * (1 if down else -1), default=("", None))
        table.add_row(
            metric["key"] + (" (lower is better)" if down else ""),
            f"{own['value']:.3f}",
            f"{own['low']:.3f} to {own['high']:.3f}",
            f"{best} {found['value']:.3f}" if found else "",
            _standing([entry["verdict"] for _, entry in others]),
        )
    table.caption = "+ better than, = no difference outside the interval, - worse than so many of the others"
    return table


def comparison_table(document: Mapping[str, Any]) -> Table:
    """The terminal's table of a comparison: a row per subject, a column per question of labels, targets and hubs.

    A sign says how the first subject stands against the row's. All metrics and intervals are in the JSON.
    """
    shown = [metric for metric in document["metrics"] if metric["key"].startswith(COMPARED)]
    table = Table(title=f"{document['subject']}: {document['n_tracks']} tracks", title_justify="left")
    table.add_column("", overflow="fold")
    for metric in shown:
        down = " (low)" if metric["higher_is_better"] is False else ""
        table.add_column(metric["key"].split(" (")[0] + down, justify="right", overflow="fold")
    for name in dict.fromkeys(name for metric in shown for name in metric["subjects"]):
        entries = [metric["subjects"].get(name) for metric in shown]
        table.add_row(
            name,
            *(f"{entry['value']:.3f} {SIGNS.get(entry.get('verdict'), ' ')}" if entry else "" for entry in entries),
        )
    table.caption = (
        f"{next(iter(shown[0]['subjects'])) if shown else ''} is better (+), not different outside the 95 % interval "
        "(=) or worse (-) than the row"
    )
    return table


def _standing(verdicts: Sequence[str]) -> str:
    return " ".join(f"{sign}{verdicts.count(name)}" for name, sign in SIGNS.items() if verdicts.count(name))


def stability_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The stability certificate for the terminal; intervals are in the JSON and on the page."""
    table = Table(title=f"stability of {rows[0]['n']} tracks", title_justify="left")
    table.add_column("perturbation")
    for column in ("cosine", "lowest", "share >= .99", "finds itself"):
        table.add_column(column, justify="right")
    for row in rows:
        figures = (row["cosine_mean"], row["cosine_min"], row["share_99"], row["self_retrieval"])
        table.add_row(row["perturbation"], *(f"{figure:.{4 if i < 2 else 2}f}" for i, figure in enumerate(figures)))
    return table


def _interval(metric: Metric) -> dict[str, float]:
    low, high = metric.interval
    return {"value": metric.value, "low": low, "high": high}


def _verdict(metric: Metric, other: Metric) -> dict[str, Any]:
    found = difference(metric, other)
    verdict = "none"
    if found.real and metric.higher_is_better is not None:
        verdict = "better" if (found.value > 0) == metric.higher_is_better else "worse"
    low, high = found.interval
    return {"difference": {"value": found.value, "low": low, "high": high}, "verdict": verdict}
