"""The check for wrong labels over the store of a small chain, and over claims that are short of something."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest

from audioae.api import Library
from audioae.config import parse_config
from audioae.errors import ConfigError
from audioae.pipeline.config import Workers
from audioae.screening.mislabeled.labels import TrackLabels, find_neighbors, read_labels
from audioae.screening.mislabeled.screen import MislabeledConfig, group_issues, score_labels, screen_mislabeled
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from tests.playlists.made import styles
from tests.search.made import make_table

CONFIG = MislabeledConfig(neighbors=10)


def quiet(what: str, done: int, total: int) -> None:
    pass


def made_claims(labels, index_row=None, artists=None, albums=None) -> TrackLabels:
    n = len(labels)
    index_row = np.arange(n) if index_row is None else np.asarray(index_row)
    artist, album = (np.full(n, -1) if ids is None else np.asarray(ids) for ids in (artists, albums))
    return TrackLabels(
        track_ids=np.array([f"id{i}" for i in range(n)]),
        labels=np.asarray(labels, str),
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


def test_a_planted_album_is_one_finding_with_evidence(world):
    index, table, style = world
    names = np.array(["Rock", "Jazz", "Folk"])
    labels = names[style]
    rock = np.flatnonzero(style == 0)[:5]
    labels[rock[:3]], labels[rock[4]] = "Jazz", "Folk"
    albums, artists = np.full(90, -1), np.full(90, -1)
    albums[rock[:4]], artists[rock[:4]] = 1, 4  # an album of four, three of them wrong
    screened = score_labels(made_claims(labels, artists=artists, albums=albums), index, table, CONFIG, quiet, ["so"])
    assert screened.group is not None
    assert screened.suggestion is not None
    assert screened.confidence is not None
    found = {*rock[:3], rock[4]}
    assert set(np.flatnonzero(screened.is_issue)) == found
    assert set(np.argsort(screened.score)[:4]) == found
    assert [screened.group[row] for row in rock[:5]] == ["album: album 1 (artist 4)"] * 3 + ["", ""]
    assert (screened.suggestion[sorted(found)] == "Rock").all()
    assert (screened.confidence[sorted(found)] > 0.3).all()
    evidence = screened.evidence[int(rock[4])]
    assert evidence["why"].startswith("claimed Folk, but of the 10 nearest tracks")
    assert {entry["label"] for entry in evidence["neighbors"]} <= {"Rock", "Jazz"}
    assert [rule["value"] < rule["limit"] for rule in evidence["rules"]] == [True, True]
    assert screened.omitted == ["so"]
    assert set(screened.measured) >= {"random", "confusable"}


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([], "^$"),
        (["Rock"] * 90, "3 recordings or more: 'Rock'; two are needed"),
        ([f"label {i}" for i in range(90)], r"'label 0' \(1\), .* and 85 more"),
        (["Rock", "Rock", "Jazz"], "3 recordings or more: none; two are needed"),
    ],
)
def test_labels_that_tell_nothing_are_nan_and_a_sentence(world, labels, sentence):
    index, table, _ = world
    screened = score_labels(made_claims(labels), index, table, CONFIG, quiet)
    assert len(screened.score) == len(labels)
    assert np.isnan(screened.score).all()
    assert not screened.is_issue.any()
    assert re.search(sentence, " ".join(screened.omitted))


def test_rare_labels_are_not_judged_and_not_suggested(world):
    index, table, style = world
    labels = np.array(["Rock", "Jazz", "Folk"])[style].astype("<U8")
    rare = np.flatnonzero(style == 1)[:2]
    labels[rare] = "Polka"
    screened = score_labels(made_claims(labels), index, table, CONFIG, quiet)
    assert screened.suggestion is not None
    assert np.flatnonzero(np.isnan(screened.score)).tolist() == rare.tolist()
    assert "Polka" not in set(screened.suggestion)
    assert screened.omitted == ["labels with fewer than 3 recordings cannot be told: 'Polka' (2)"]


def test_six_tracks_of_two_labels_are_enough(world):
    index, table, style = world
    rows = np.concatenate([np.flatnonzero(style == s)[:3] for s in (0, 1)])
    screened = score_labels(made_claims(["a"] * 3 + ["b"] * 3, index_row=rows), index, table, CONFIG, quiet)
    assert (screened.score > 0.5).all()


def test_neighbors_are_sought_among_the_screened_only(world):
    index, table, _ = world
    index_row = np.r_[np.arange(0, 90, 2), 4]  # every other track, and a copy of one
    found = find_neighbors(index, table, index_row, 8)
    vectors = table.embeddings[table.rows_of(index.ids)[index_row]]
    cosines = vectors @ vectors.T - 3 * np.eye(46)
    cosines[:, 45] = -3  # the copy does not vote
    cosines[45, 2] = -3
    assert (found.rows == np.argsort(-cosines, axis=1)[:, :8]).all()
    assert found.scores == pytest.approx(-np.sort(-cosines, axis=1)[:, :8], abs=1e-5)


def test_groups_are_of_most_tracks_of_an_album_or_of_albums():
    artist = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, -1])
    album = np.array([0, 0, 1, 1, 2, 2, 3, 3, -1, -1])
    names = np.array([f"name {i}" for i in range(10)])
    issues = np.array([1, 1, 0, 0, 1, 1, 1, 0, 1, 1], bool)
    group = group_issues(issues, artist, album, np.char.add("by ", artist.astype(str)), names)
    assert group.tolist() == ["album: name 0 (by 0)", "album: name 1 (by 0)", "", ""] + ["artist: by 1"] * 3 + [""] * 3


def test_the_whole_store_is_screened_or_accounted_for(chain):
    library = Library(chain[0])
    told = []
    screened = screen_mislabeled(library, CONFIG, Workers(), lambda *what: told.append(what))
    labeled = [row["track_id"] for row in library.tracks.to_pylist() if row["label"]]
    assert screened.track_ids.tolist() == labeled
    assert screened.check == "mislabeled"
    assert {what for what, _, _ in told} <= {"neighbors", "planted swaps"}
    again = screen_mislabeled(library, CONFIG, Workers(), quiet)
    assert np.array_equal(again.score, screened.score, equal_nan=True)
    assert again.measured == screened.measured
    json.dumps([dict(screened.evidence), dict(screened.measured), screened.omitted])


def test_tracks_without_a_label_or_an_embedding_are_a_sentence(chain):
    library = Library(chain[0])
    rows = library.tracks.to_pylist()
    rows[0]["label"], rows[1]["label"] = None, "  "
    rows.append({**rows[5], "track_id": "pending"})
    rows.append({**rows[5], "track_id": "copy", "duplicate_of": rows[5]["track_id"], "label": "Polka"})
    library.tracks = pa.Table.from_pylist(rows, schema=library.tracks.schema)
    claims, omitted = read_labels(library)
    assert omitted == [
        f"2 of {len(rows)} tracks have no label",
        "1 tracks with a label have no embedding: rejected or pending (audioae coverage)",
    ]
    assert claims.track_ids.tolist() == [row["track_id"] for row in rows[2:] if row["track_id"] != "pending"]
    assert claims.labels[-1] == "Polka"
    assert claims.recording[-1] == claims.recording[3]
    nobody = [{**row, "label": None} for row in rows]
    library.tracks = pa.Table.from_pylist(nobody, schema=library.tracks.schema)
    screened = screen_mislabeled(library, CONFIG, Workers(), quiet)
    assert len(screened.score) == 0
    assert screened.omitted == [f"{len(rows)} of {len(rows)} tracks have no label"]


def test_a_wrong_setting_is_named():
    with pytest.raises(ConfigError, match=r"planted_share: got 0.9"):
        parse_config(MislabeledConfig, {"planted_share": 0.9}, where="test")
