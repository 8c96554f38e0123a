"""The results of an evaluation as one document: what the JSON, the terminal's tables and the page show.

Conventions
-----------
- `results` of a metric lists the evaluated embeddings first, then what they are compared with, on the same tracks.
- A verdict compares the first entry with another one: "better", "worse", or "none" if the interval of the difference
  contains 0. With too few artists to tell, `low`, `high` and the verdict are null, and the metric's `note` says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.metric import Metric, MetricSet, difference

SIGNS = {"better": "+", "none": "=", "worse": "-"}
ROBUSTNESS = {
    "cosine_mean": "cosine",
    "cosine_min": "lowest",
    "share_99": "share >= .99",
    "self_retrieval": "finds itself",
    "recall_10": "recall@10",
    "recall_100": "recall@100",
    "mrr": "MRR",
}
TOO_FEW = "too few to tell"
COMPARED = ("mAP by label", "kNN by label", "linear probe", "R2", "AUROC", "skewness", "never")


def compare_results(metric_sets: Mapping[str, MetricSet]) -> list[dict[str, Any]]:
    """Make one entry per metric of the first set, with the value, interval and verdict of every set that has it.

    Returns
    -------
    metrics : list of dict
        key, higher_is_better, n, note (a sentence about the interval, or null), and results: name to value, low, high
        and, except for the first, difference and verdict.
    """
    (first, metric_set), *others = metric_sets.items()
    by_key = {name: {metric.key: metric for metric in other.metrics} for name, other in others}
    entries = []
    for metric in metric_set.metrics:
        results: dict[str, Any] = {first: _interval(metric)}
        for name, metrics in by_key.items():
            if metric.key in metrics:
                results[name] = {**_interval(metrics[metric.key]), **_verdict(metric, metrics[metric.key])}
        entry = {"key": metric.key, "higher_is_better": metric.higher_is_better, "n": metric.n, "note": metric.note}
        entries.append({**entry, "results": results})
    return entries


def interval_notes(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence per different note about intervals, with the metrics that it is about.

    >>> interval_notes([{"key": "mAP", "note": "too few"}, {"key": "kNN", "note": "too few"}, {"key": "R2"}])
    ['mAP, kNN: too few']
    """
    keys: dict[str, list[str]] = {}
    for metric in metrics:
        if note := metric.get("note"):
            keys.setdefault(note, []).append(metric["key"])
    return [f"{', '.join(names)}: {note}" for note, names in keys.items()]


def interval_text(entry: Mapping[str, Any]) -> str:
    """The interval of an entry of `results` in words.

    >>> interval_text({"low": 0.25, "high": 0.5}), interval_text({"low": None, "high": None})
    ('0.250 to 0.500', 'too few to tell')
    """
    return TOO_FEW if entry["low"] is None else f"{entry['low']:.3f} to {entry['high']:.3f}"


def confusion(labels: np.ndarray, predicted: np.ndarray, how: str) -> dict[str, Any]:
    """Count (label, predicted label) pairs; "" is unknown in both. Rows are the catalog's labels."""
    names = sorted({str(label) for label in labels if label})
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), int)
    for label, guess in zip(labels, predicted, strict=True):
        if label and guess:
            counts[place[str(label)], place[str(guess)]] += 1
    return {"labels": names, "counts": counts.tolist(), "how": how}


def hub_rows(hubs: Sequence[tuple[int, int]], metadata: TrackMetadata, titles: Sequence[str]) -> list[dict[str, Any]]:
    """Look up the track of each (row, k-occurrence)."""
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
    """Make the terminal's table of an evaluation: one row per metric.

    The JSON and the page have the values and intervals of everything that the embeddings are compared with.
    """
    table = Table(title=f"{document['title']}: {document['n_tracks']} tracks", title_justify="left")
    table.add_column("")
    for column in ("value", "95 % interval", "best of the others", ""):
        table.add_column(column, justify="right", no_wrap=column != "best of the others")
    for metric in document["metrics"]:
        (_, own), *others = metric["results"].items()
        down = metric["higher_is_better"] is False
        best, entry = min(others, key=lambda pair: pair[1]["value"] * (1 if down else -1), default=("", None))
        table.add_row(
            metric["key"] + (" (lower is better)" if down else ""),
            f"{own['value']:.3f}",
            interval_text(own),
            f"{best} {entry['value']:.3f}" if entry else "",
            _verdict_counts([entry["verdict"] for _, entry in others]),
        )
    table.caption = "last column: better than (+), no significant difference from (=), worse than (-) how many others"
    return table


def comparison_table(document: Mapping[str, Any]) -> Table:
    """Make the terminal's table of a comparison: one row per model or baseline, one column per metric of `COMPARED`.

    A sign compares the first row with this row. The JSON has all metrics and intervals.
    """
    shown = [metric for metric in document["metrics"] if metric["key"].startswith(COMPARED)]
    table = Table(title=f"{document['title']}: {document['n_tracks']} tracks", title_justify="left")
    table.add_column("", overflow="fold")
    for metric in shown:
        down = " (low)" if metric["higher_is_better"] is False else ""
        table.add_column(metric["key"].split(" (")[0] + down, justify="right", overflow="fold")
    for name in dict.fromkeys(name for metric in shown for name in metric["results"]):
        entries = [metric["results"].get(name) for metric in shown]
        table.add_row(
            name,
            *(f"{entry['value']:.3f} {SIGNS.get(entry.get('verdict'), ' ')}" if entry else "" for entry in entries),
        )
    table.caption = (
        f"{next(iter(shown[0]['results'])) if shown else ''} is better than (+), not significantly different from (=) "
        "or worse than (-) the row"
    )
    return table


def robustness_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Make the terminal's table of robustness; the JSON and the page have the intervals."""
    table = Table(title=f"robustness of {rows[0]['n']} tracks", title_justify="left")
    table.add_column("perturbation")
    for column in ROBUSTNESS.values():
        table.add_column(column, justify="right")
    for row in rows:
        values = [row.get(name) for name in ROBUSTNESS]
        cells = ("" if value is None else f"{value:.{4 if i < 2 else 2}f}" for i, value in enumerate(values))
        table.add_row(row["perturbation"], *cells)
    table.caption = "finds itself: recall@1; recall@k: the original is one of the k nearest tracks of the catalog"
    return table


def _verdict_counts(verdicts: Sequence[str | None]) -> str:
    return " ".join(f"{sign}{verdicts.count(name)}" for name, sign in SIGNS.items() if verdicts.count(name))


def _interval(metric: Metric) -> dict[str, float | None]:
    return {"value": metric.value, **_ends(metric.interval)}


def _verdict(metric: Metric, other: Metric) -> dict[str, Any]:
    gap = difference(metric, other)
    verdict = None if gap.interval is None else "none"
    if gap.real and metric.higher_is_better is not None:
        verdict = "better" if (gap.value > 0) == metric.higher_is_better else "worse"
    return {"difference": {"value": gap.value, **_ends(gap.interval)}, "verdict": verdict}


def _ends(interval: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {"low": low, "high": high}
