"""The check mislabeled on the store of a small chain, and on labels that are rare or missing."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest

from audioae.api import Library
from audioae.library.catalog_columns import CatalogColumns
from audioae.pipeline.config import Workers
from audioae.screening.mislabeled.config import MislabeledConfig
from audioae.screening.mislabeled.labels import TrackLabels, Vectors, find_neighbors, read_labels
from audioae.screening.mislabeled.screen import choose_reference, group_issues, score_labels, screen_mislabeled
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from tests.recommend.made import styles
from tests.search.made import make_table

CONFIG = MislabeledConfig(neighbors=10)


def quiet(what: str, done: int, total: int) -> None:
    pass


def track_labels(labels, index_row=None, artists=None, albums=None) -> TrackLabels:
    n = len(labels)
    index_row = np.arange(n) if index_row is None else np.asarray(index_row)
    artist, album = (np.full(n, -1) if ids is None else np.asarray(ids) for ids in (artists, albums))
    names, label = np.unique(np.asarray(labels, str), return_inverse=True)
    return TrackLabels(
        track_ids=pa.array([f"id{i}" for i in range(n)], pa.string()),
        label=label,
        names=names,
        index_row=index_row,
        recording=index_row,
        artist=artist,
        album=album,
        artist_name=np.array([f"artist {i}" if i >= 0 else "" for i in artist]),
        album_name=np.array([f"album {i}" if i >= 0 else "" for i in album]),
    )


@pytest.fixture(scope="module")
def world():
    vectors, style = styles(3, 30, spread=1.0)
    vectors = np.pad(vectors, ((0, 0), (0, 112)))
    table = make_table(vectors)
    index = SearchIndex.build(table, IndexConfig())
    order = table.rows_of(index.ids)  # index rows are not table rows
    return index, table, style[order]


def test_a_mislabeled_album_is_one_finding_with_evidence(world):
    index, table, style = world
    names = np.array(["Rock", "Jazz", "Folk"])
    labels = names[style]
    rock = np.flatnonzero(style == 0)[:5]
    labels[rock[:3]], labels[rock[4]] = "Jazz", "Folk"
    albums, artists = np.full(90, -1), np.full(90, -1)
    albums[rock[:4]], artists[rock[:4]] = 1, 4  # an album of four, three of them wrong
    screened = score_labels(track_labels(labels, artists=artists, albums=albums), index, table, CONFIG, quiet, ["so"])
    assert screened.group is not None
    assert screened.suggestion is not None
    assert screened.confidence is not None
    wrong = {*rock[:3], rock[4]}
    assert set(np.flatnonzero(screened.is_issue)) == wrong
    assert set(np.argsort(screened.score)[:4]) == wrong
    assert [screened.group[row] for row in rock[:5]] == ["album: album 1 (artist 4)"] * 3 + ["", ""]
    assert (screened.suggestion[sorted(wrong)] == "Rock").all()
    assert (screened.confidence[sorted(wrong)] > 0.3).all()
    evidence = screened.evidence[int(rock[4])]
    assert evidence["why"].startswith("labeled Folk; of its 10 nearest tracks, ")
    assert {entry["label"] for entry in evidence["neighbors"]} <= {"Rock", "Jazz"}
    assert [rule["rule"] for rule in evidence["rules"]] == [
        "neighbors' votes: Folk against Rock",
        "classifier: Folk against Rock",
    ]
    assert [rule["value"] < rule["limit"] for rule in evidence["rules"]] == [True, True]
    assert screened.omitted == ["so"]
    assert set(screened.measured) >= {"random", "confusable"}


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([], "^$"),
        (["Rock"] * 90, "needs two labels with 3 recordings or more; the catalog has: 'Rock'"),
        ([f"label {i}" for i in range(90)], r"'label 0' \(1\), .* and 85 more"),
        (["Rock", "Rock", "Jazz"], "needs two labels with 3 recordings or more; the catalog has: none"),
    ],
)
def test_labels_that_cannot_be_checked_score_nan_and_are_named(world, labels, sentence):
    index, table, _ = world
    screened = score_labels(track_labels(labels), index, table, CONFIG, quiet)
    assert len(screened.score) == len(labels)
    assert np.isnan(screened.score).all()
    assert not screened.is_issue.any()
    assert re.search(sentence, " ".join(screened.omitted))


def test_rare_labels_are_neither_scored_nor_suggested(world):
    index, table, style = world
    labels = np.array(["Rock", "Jazz", "Folk"])[style].astype("<U8")
    rare = np.flatnonzero(style == 1)[:2]
    labels[rare] = "Polka"
    screened = score_labels(track_labels(labels), index, table, CONFIG, quiet)
    assert screened.suggestion is not None
    assert np.flatnonzero(np.isnan(screened.score)).tolist() == rare.tolist()
    assert "Polka" not in set(screened.suggestion)
    assert screened.omitted == ["labels with fewer than 3 recordings cannot be checked: 'Polka' (2)"]


def test_six_tracks_of_two_labels_are_enough(world):
    index, table, style = world
    rows = np.concatenate([np.flatnonzero(style == s)[:3] for s in (0, 1)])
    screened = score_labels(track_labels(["a"] * 3 + ["b"] * 3, index_row=rows), index, table, CONFIG, quiet)
    assert (screened.score > 0.5).all()


def test_neighbors_are_among_the_labeled_tracks_only(world):
    index, table, _ = world
    index_row = np.r_[np.arange(0, 90, 2), 4]  # every other track, and a copy of one
    neighbors = find_neighbors(Vectors(index, table), index_row, 8)
    vectors = table.embeddings[table.rows_of(index.ids)[index_row]]
    cosines = vectors @ vectors.T - 3 * np.eye(46)
    cosines[:, 45] = -3  # a copy does not vote
    cosines[45, 2] = -3
    assert (neighbors.rows == np.argsort(-cosines, axis=1)[:, :8]).all()
    assert neighbors.scores == pytest.approx(-np.sort(-cosines, axis=1)[:, :8], abs=1e-5)


def test_issues_are_grouped_by_album_or_by_artist_if_most_tracks_are_issues():
    artist = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, -1])
    album = np.array([0, 0, 1, 1, 2, 2, 3, 3, -1, -1])
    names = np.array([f"name {i}" for i in range(10)])
    issues = np.array([1, 1, 0, 0, 1, 1, 1, 0, 1, 1], bool)
    group = group_issues(issues, artist, album, np.char.add("by ", artist.astype(str)), names)
    assert group.tolist() == ["album: name 0 (by 0)", "album: name 1 (by 0)", "", ""] + ["artist: by 1"] * 3 + [""] * 3


def test_all_labeled_tracks_of_a_store_are_screened(chain):
    library = Library(chain[0])
    steps = []
    screened = screen_mislabeled(library, CONFIG, Workers(), lambda *step: steps.append(step))
    labeled = [row["track_id"] for row in library.tracks.to_pylist() if row["label"]]
    assert screened.track_ids.tolist() == labeled
    assert screened.check == "mislabeled"
    assert {what for what, _, _ in steps} <= {"looking up neighbors", "testing with swapped labels"}
    again = screen_mislabeled(library, CONFIG, Workers(), quiet)
    assert np.array_equal(again.score, screened.score, equal_nan=True)
    assert again.measured == screened.measured
    json.dumps([dict(screened.evidence), dict(screened.measured), screened.omitted])


def test_tracks_without_a_label_or_an_embedding_are_counted(chain):
    library = Library(chain[0])
    rows = library.tracks.to_pylist()
    rows[0]["label"], rows[1]["label"] = None, "  "
    rows.append({**rows[5], "track_id": "pending"})
    rows.append({**rows[5], "track_id": "copy", "duplicate_of": rows[5]["track_id"], "label": "Polka"})
    library.columns = CatalogColumns.of(pa.Table.from_pylist(rows, schema=library.tracks.schema))
    labels, omitted = read_labels(library)
    assert omitted == [
        f"2 of {len(rows)} tracks without a label",
        "1 track with a label but no embedding: rejected or pending (see audioae coverage)",
    ]
    assert labels.track_ids.to_pylist() == [row["track_id"] for row in rows[2:] if row["track_id"] != "pending"]
    assert labels.names[labels.label[-1]] == "Polka"
    assert labels.recording[-1] == labels.recording[3]
    unlabeled = [{**row, "label": None} for row in rows]
    library.columns = CatalogColumns.of(pa.Table.from_pylist(unlabeled, schema=library.tracks.schema))
    screened = screen_mislabeled(library, CONFIG, Workers(), quiet)
    assert len(screened.score) == 0
    assert screened.omitted == [f"{len(rows)} of {len(rows)} tracks without a label"]


def test_a_large_catalog_is_judged_by_a_sample(world):
    """Half of the tracks judge all; every wrong label is found, and the suggestions are right."""
    index, _, style = world
    names = np.array(["Rock", "Jazz", "Folk"])
    labels = names[style]
    wrong = np.flatnonzero(style == 0)[:4]
    labels[wrong] = "Jazz"
    config = MislabeledConfig.model_construct(**{**CONFIG.model_dump(), "max_tracks": 45, "budget": 10})
    screened = score_labels(track_labels(labels), index, None, config, quiet)
    assert set(np.argsort(screened.score)[:4]) == set(wrong)
    assert screened.suggestion is not None
    assert (screened.suggestion[wrong] == "Rock").all()
    assert np.isfinite(screened.score).all()
    assert screened.omitted == ["tracks are compared with a random sample of 45 of 90 tracks with a label"]
    evidence = screened.evidence[int(wrong[0])]
    assert evidence["why"].startswith("labeled Jazz; of its 10 nearest tracks, ")
    assert {entry["label"] for entry in evidence["neighbors"]} <= {"Rock", "Folk"}
    assert set(screened.evidence_rows) >= set(np.flatnonzero(screened.is_issue))
    again = score_labels(track_labels(labels), index, None, config, quiet)
    assert np.array_equal(again.score, screened.score)


def test_the_reference_has_some_tracks_of_rare_labels():
    label = np.r_[np.zeros(9_000, int), np.full(900, 1), np.full(100, 2), np.full(7, 3)]
    chosen = choose_reference(label, 1000, seed=0)
    counts = np.bincount(label[chosen])
    assert len(chosen) == len(set(chosen.tolist())) == 1000
    assert (counts[2] >= 50, counts[3]) == (True, 7)
    assert 700 < counts[0] < 870
    assert choose_reference(label, 10_007, seed=0).tolist() == list(range(10_007))
