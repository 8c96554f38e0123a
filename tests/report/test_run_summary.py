"""The summary of a run: its table in words, the agreement of neighbors with labels, and the map."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from audioae.pipeline.accounting import Accounting
from audioae.report.run_summary import Summary, embedding_map, label_agreement, summarize, summary_table, write_pictures
from audioae.store.dataset import Store
from tests.pages.made import unit

GATE = {"factory": "Flat", "k": 10, "recall": 1.0, "p50_ms": 0.04, "p99_ms": 0.12, "bytes_per_vector": 512.0}
CHECK = {"check": "mislabeled", "issues": 8, "screened": 180, "cannot tell": 0, "omitted": []}
SUMMARY = Summary(
    accounting=Accounting(189, 176, 4, {"truncated": 4, "silent": 5}, 0, 0),
    seconds={"catalog": 60.3, "mels": 9.1},
    gate=GATE,
    label_agreement=(0.82, 0.08),
    refs={"tracks": "tracks@1", "index": "index@2"},
    root="data",
    screened=(CHECK,),
)


def printed(summary: Summary) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(summary_table(summary, {"map": "data/pictures/map.png"}))
    return " ".join(console.file.getvalue().replace("│", " ").split())  # type: ignore[attr-defined]


def test_table_has_a_line_per_result():
    text = printed(SUMMARY)
    for line in (
        "tracks 189 in the catalog: 176 embedded, 4 exact duplicates, 9 rejected, 0 pending",
        "rejected: truncated 4",
        "time 69.4 s, 2.7 tracks/s",
        "index Flat: recall@10 1.000, p50 0.04 ms, p99 0.12 ms, 512 bytes per vector",
        "neighbors 82 % of the 10 nearest tracks share the query's label (8 % expected by chance)",
        "findings audioae findings --store data mislabeled 8 of 180 tracks are issues",
        "map data/pictures/map.png",
    ):
        assert line in text


def test_padded_tracks_are_mentioned_only_if_there_are_any():
    assert "shorter" not in printed(SUMMARY)
    padded = replace(SUMMARY, accounting=replace(SUMMARY.accounting, padded=3))
    assert "shorter than 3 s 3 of the embedded tracks, repeated to fill a clip" in printed(padded)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"cannot tell": 4}, "8 of 180 tracks are issues; cannot tell for 4"),
        ({"screened": 0, "omitted": ["no track has a label"]}, "no track was checked: no track has a label"),
    ],
)
def test_check_says_what_it_could_not_do(change: dict, text: str):
    assert text in printed(replace(SUMMARY, screened=(CHECK | change,)))


def test_agreement_is_the_share_of_neighbors_with_the_label():
    labels = np.array(["a", "b"] * 20)
    apart = unit(np.eye(2)[np.arange(40) % 2])
    agreement, chance = label_agreement(apart, labels) or (0.0, 0.0)
    assert agreement == 1
    assert chance == pytest.approx(19 / 39)
    assert label_agreement(apart, np.full(40, "a")) is None
    assert label_agreement(apart[:10], labels[:10]) is None


@pytest.mark.parametrize("n_labels", [0, 3, 30])
def test_map_is_a_picture_whatever_the_labels_are(n_labels: int):
    vectors = unit(np.random.default_rng(0).standard_normal((60, 8)))
    labels = np.array([f"label {i % n_labels}" if n_labels else "" for i in range(60)])
    pixels = imread(io.BytesIO(embedding_map(vectors, labels)), format="png")
    assert pixels.shape[:2] == (682, 990)
    assert pixels.std() > 0.01


def test_summary_and_pictures_of_a_store(store: Store):
    index = store.require("index")
    summary = summarize(store, index, {"index": 1.0}, store.require("findings"))
    assert summary.accounting.embedded == summary.gate["n"]
    assert [row["check"] for row in summary.screened] == ["mislabeled", "corrupt", "duplicate"]
    pictures = write_pictures(store, index)
    assert list(pictures) == ["map", "training.png", "reconstructions.png"]
    assert all(Path(path).read_bytes()[:4] == b"\x89PNG" for path in pictures.values())
