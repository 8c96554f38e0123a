"""Explaining a track lists its row in every stage, with the dataset or file that holds it."""

import pytest

from audioae.api import Library
from audioae.errors import SearchError
from audioae.report.explain import explain_track
from audioae.store.dataset import Store


def test_embedded_track_has_a_section_per_stage(store: Store):
    library = Library(store)
    track_id = library.tracks["track_id"][0].as_py()
    sections = explain_track(library, track_id, k=3)
    assert list(sections) == ["track", "state", "health", "clips", "embedding", "neighbors", "findings"]
    assert sections["track"]["track_id"] == track_id
    assert sections["track"]["dataset"] == str(library.tracks_ref)
    assert sections["state"] == {"state": "embedded"}
    assert sections["embedding"]["model"] == str(library.model_ref)
    assert sections["embedding"]["embedding"].endswith(", ...] (128)")
    assert [row["rank"] for row in sections["neighbors"]] == [1, 2, 3]
    assert track_id not in {row["track_id"] for row in sections["neighbors"]}
    assert [row["check"] for row in sections["findings"]] == ["mislabeled"]


def test_clips_name_the_file_that_holds_them(store: Store):
    library = Library(store)
    clips = explain_track(library, library.tracks["track_id"][0].as_py())["clips"]
    assert [clip["clip"] for clip in clips] == list(range(len(clips)))
    assert all(store.storage.exists(clip["part"]) for clip in clips)


def test_unscreened_track_has_no_findings(chain):
    library = Library(chain[0])
    assert "findings" not in explain_track(library, library.tracks["track_id"][0].as_py())


def test_unknown_track_is_an_error(chain):
    with pytest.raises(SearchError, match="no such track"):
        explain_track(Library(chain[0]), "no such track")
