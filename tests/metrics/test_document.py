"""The evaluation document: verdicts, tables, confusion matrix."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from audioae.library.track_metadata import make_metadata
from audioae.metrics.document import (
    compare_results,
    comparison_table,
    confusion,
    hub_rows,
    interval_notes,
    metric_table,
    robustness_table,
)
from audioae.metrics.metric import MetricSet, mean_metric

GROUPS = np.arange(200)
RNG = np.random.default_rng(0)
LOW, HIGH = RNG.random(200) * 0.5, RNG.random(200) * 0.5 + 0.4


def metrics_of(values: np.ndarray, key: str = "mAP by label", higher: bool = True) -> MetricSet:
    return MetricSet((mean_metric(key, values, GROUPS, higher),))


def text_of(table: Table) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_verdicts_follow_the_direction_of_the_metric():
    for higher, verdict in ((True, "better"), (False, "worse")):
        (entry,) = compare_results({"model": metrics_of(HIGH, higher=higher), "MFCC": metrics_of(LOW, higher=higher)})
        assert entry["results"]["MFCC"]["verdict"] == verdict
        assert entry["results"]["MFCC"]["difference"]["value"] > 0
        assert "verdict" not in entry["results"]["model"]


def test_a_difference_whose_interval_contains_zero_has_the_verdict_none():
    noise = LOW + RNG.normal(0, 0.3, 200)
    (entry,) = compare_results({"model": metrics_of(LOW), "noise": metrics_of(noise), "same": metrics_of(LOW)})
    assert entry["results"]["noise"]["verdict"] == "none"
    assert entry["results"]["same"]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert entry["results"]["same"]["verdict"] == "none"


def test_with_too_few_artists_ends_and_verdict_are_null_and_a_note_says_why():
    few = [MetricSet((mean_metric(key, values, GROUPS // 50),)) for key in ("mAP", "kNN") for values in (HIGH, LOW)]
    metrics = compare_results({"model": few[0] + few[2], "MFCC": few[1] + few[3]})
    (entry, _) = metrics
    compared = entry["results"]["MFCC"]
    assert compared["value"] == pytest.approx(LOW.mean())
    assert compared["difference"] == {"value": pytest.approx(HIGH.mean() - LOW.mean()), "low": None, "high": None}
    assert (compared["low"], compared["high"], compared["verdict"]) == (None, None, None)
    note = "too few artists to tell: 4, an interval and a verdict need at least 5"
    assert entry["note"] == note
    assert interval_notes(metrics) == [f"mAP, kNN: {note}"]
    document = {"title": "embeddings@1", "n_tracks": 200, "metrics": metrics}
    assert json.loads(json.dumps(document)) == document
    assert "too few to tell" in text_of(metric_table(document))
    assert f"{LOW.mean():.3f}" in text_of(comparison_table(document | {"metrics": [entry | {"key": "mAP by label"}]}))
    assert compare_results({"model": metrics_of(HIGH)})[0]["note"] is None


def test_skips_comparisons_that_lack_the_metric():
    (entry,) = compare_results({"model": metrics_of(HIGH), "MFCC": metrics_of(LOW, key="another")})
    assert list(entry["results"]) == ["model"]


def test_confusion_counts_predictions_per_label_and_skips_unknown_ones():
    labels = np.array(["a", "a", "b", "", "b"], dtype=object)
    matrix = confusion(labels, np.array(["a", "b", "b", "a", ""], dtype=object), "folds")
    assert matrix == {"labels": ["a", "b"], "counts": [[1, 1], [0, 1]], "how": "folds"}


def test_metric_table_shows_every_metric_and_the_best_of_the_others():
    metrics = compare_results({"model": metrics_of(HIGH), "MFCC": metrics_of(LOW), "PCA": metrics_of(LOW * 0.5)})
    document = {"title": "embeddings@1", "n_tracks": 200, "metrics": metrics}
    printed = text_of(metric_table(document))
    assert "mAP by label" in printed
    assert f"MFCC {LOW.mean():.3f}" in printed
    assert "+2" in printed
    assert json.dumps(document)


def test_robustness_table_has_a_row_per_perturbation():
    row = {"perturbation": "gain", "n": 3, "cosine_mean": 0.5, "cosine_min": 0.25, "share_99": 0.0, "self_retrieval": 1}
    printed = text_of(robustness_table([{**row, "recall_10": 0.75, "recall_100": None, "mrr": 0.625}]))
    (line,) = (line for line in printed.splitlines() if "gain" in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        *("gain", "0.5000", "0.2500", "0.00", "1.00", "0.75", "", "0.62")
    ]


def test_hub_rows_show_the_track():
    metadata = make_metadata(["x", "y"], labels=["a", None])
    assert hub_rows([(1, 7)], metadata, ["X", "Y"]) == [
        {"track_id": "y", "title": "Y", "artist": "", "label": "", "k_occurrence": 7}
    ]


def test_comparison_table_has_a_row_per_model_with_its_verdicts():
    metrics = compare_results({"ours": metrics_of(HIGH), "MFCC": metrics_of(LOW), "twin": metrics_of(HIGH)})
    printed = text_of(comparison_table({"title": "2 models", "n_tracks": 200, "metrics": metrics}))
    lines = {line.split("│")[1].strip(): line for line in printed.splitlines() if "│" in line}
    assert f"{LOW.mean():.3f} +" in lines["MFCC"]
    assert f"{HIGH.mean():.3f} =" in lines["twin"]
    assert "ours is better than (+)" in " ".join(printed.split())
