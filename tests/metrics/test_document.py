"""The document: verdicts, tables, confusion."""

import io
import json

import numpy as np
from rich.console import Console
from rich.table import Table

from audioae.library.track_metadata import make_metadata
from audioae.metrics.document import (
    compare_answers,
    comparison_table,
    confusion,
    hub_rows,
    metric_table,
    stability_table,
)
from audioae.metrics.metric import MetricSet, mean_metric

GROUPS = np.arange(200)
RNG = np.random.default_rng(0)
LOW, HIGH = RNG.random(200) * 0.5, RNG.random(200) * 0.5 + 0.4


def answer(values: np.ndarray, key: str = "mAP by label", higher: bool = True) -> MetricSet:
    return MetricSet((mean_metric(key, values, GROUPS, higher),))


def text_of(table: Table) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_verdicts_follow_the_direction_of_the_metric():
    for higher, verdict in ((True, "better"), (False, "worse")):
        (entry,) = compare_answers({"model": answer(HIGH, higher=higher), "MFCC": answer(LOW, higher=higher)})
        assert entry["subjects"]["MFCC"]["verdict"] == verdict
        assert entry["subjects"]["MFCC"]["difference"]["value"] > 0
        assert "verdict" not in entry["subjects"]["model"]


def test_a_difference_inside_its_interval_is_none():
    noise = LOW + RNG.normal(0, 0.3, 200)
    (entry,) = compare_answers({"model": answer(LOW), "noise": answer(noise), "same": answer(LOW)})
    assert entry["subjects"]["noise"]["verdict"] == "none"
    assert entry["subjects"]["same"]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert entry["subjects"]["same"]["verdict"] == "none"


def test_a_metric_that_another_subject_lacks_has_no_entry_of_it():
    (entry,) = compare_answers({"model": answer(HIGH), "MFCC": answer(LOW, key="another")})
    assert list(entry["subjects"]) == ["model"]


def test_confusion_counts_labels_by_prediction_and_leaves_unknown_out():
    labels = np.array(["a", "a", "b", "", "b"], dtype=object)
    found = confusion(labels, np.array(["a", "b", "b", "a", ""], dtype=object), "folds")
    assert found == {"labels": ["a", "b"], "counts": [[1, 1], [0, 1]], "how": "folds"}


def test_tables_name_every_metric_and_the_best_of_the_others():
    metrics = compare_answers({"model": answer(HIGH), "MFCC": answer(LOW), "PCA": answer(LOW * 0.5)})
    document = {"subject": "embeddings@1", "n_tracks": 200, "metrics": metrics}
    printed = text_of(metric_table(document))
    assert "mAP by label" in printed
    assert f"MFCC {LOW.mean():.3f}" in printed
    assert "+2" in printed
    assert json.dumps(document)


def test_stability_table_has_a_line_per_perturbation():
    row = {"perturbation": "gain", "n": 3, "cosine_mean": 0.5, "cosine_min": 0.25, "share_99": 0.0, "self_retrieval": 1}
    printed = text_of(stability_table([row]))
    assert "gain" in printed
    assert "0.5000" in printed


def test_hubs_are_named():
    metadata = make_metadata(["x", "y"], labels=["a", None])
    assert hub_rows([(1, 7)], metadata, ["X", "Y"]) == [
        {"track_id": "y", "title": "Y", "artist": "", "label": "", "k_occurrence": 7}
    ]


def test_comparison_has_a_line_per_subject_and_the_sign_of_the_first_against_it():
    metrics = compare_answers({"ours": answer(HIGH), "MFCC": answer(LOW), "twin": answer(HIGH)})
    printed = text_of(comparison_table({"subject": "2 models", "n_tracks": 200, "metrics": metrics}))
    lines = {line.split("│")[1].strip(): line for line in printed.splitlines() if "│" in line}
    assert f"{LOW.mean():.3f} +" in lines["MFCC"]
    assert f"{HIGH.mean():.3f} =" in lines["twin"]
    assert "ours is better (+)" in printed
