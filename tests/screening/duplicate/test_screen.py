"""The check duplicate on a store of known copies."""

import json

import pytest

from audioae.screening.findings import open_findings
from tests.screening.made import N, make_store, screen


def only_copies(store, **settings):
    return screen(store, corrupt=None, duplicate=settings)


def test_copies_are_one_finding_with_the_copy_to_keep(store):
    ref = only_copies(store)
    rows = {row["track_id"]: row for row in store.read(ref).to_pylist()}
    assert set(rows) == {f"t{i}" for i in range(N)} - {"t30"}, "t3 is rejected, but the catalog has a copy of its bytes"
    issues = {track_id for track_id, row in rows.items() if row["is_issue"]}
    assert issues == {"t0", "t1", "t9", "t4"}
    assert {t for t, row in rows.items() if row["group"]} == issues | {"t5", "t3"}, "nothing else is merged"
    assert len({rows[t]["group"] for t in ("t0", "t1", "t5", "t9")}) == 1
    assert (rows["t5"]["score"], rows["t1"]["score"]) == (1, 0)
    assert rows["t9"]["score"] == pytest.approx(0.1)
    assert {rows[t]["suggestion"] for t in ("t0", "t1", "t9")} == {"t5"}
    evidence = json.loads(rows["t9"]["evidence"])
    assert evidence["why"] == (
        "same recording (similarity 0.90); keep Title t5 (t5): "
        "the spectrum of this copy ends at 11,000 Hz, that of the kept one at 20,000 Hz"
    )
    assert evidence["rules"] == [{"rule": "cutoff_hz", "value": 11000, "limit": 20000, "unit": "Hz"}]
    assert (sorted(evidence["copies"]), evidence["keep"]) == (["t0", "t1", "t5", "t9"], "t5")
    assert json.loads(rows["t4"]["evidence"])["keep"] == "t3"
    assert json.loads(rows["t5"]["evidence"])["why"] == "keep this copy: decided by lossless, cutoff_hz"
    assert store.manifest(ref).parents.keys() == {"index", "embeddings", "tracks", "screenings"}
    (screening,) = store.read(store.manifest(ref).parent("screenings")).to_pylist()
    assert screening["omitted"] == ["1 track without an embedding: not compared"]


def test_an_older_index_gives_exact_copies_only(tmp_path):
    store = make_store(str(tmp_path), 6, copies={1: 0}, near=None)
    rows = store.read(only_copies(store)).to_pylist()
    assert [row["track_id"] for row in rows if row["is_issue"]] == ["t1"]
    (omitted,) = open_findings(store).screenings["duplicate"]["omitted"]
    assert "built before near duplicates were recorded, so only exact ones are listed" in omitted


def test_near_false_lists_only_files_with_the_same_bytes(store):
    rows = store.read(only_copies(store, near=False)).to_pylist()
    assert [row["track_id"] for row in rows if row["is_issue"]] == ["t1", "t4"]


def test_a_large_group_names_some_copies_and_the_one_to_keep(tmp_path, monkeypatch):
    """What a group's evidence takes may not grow with the square of its size."""
    monkeypatch.setattr("audioae.screening.duplicate.screen.MAX_LISTED", 3)
    health = {i: {"codec": "pcm_16" if i == 7 else "vorbis", "bit_rate": 96_000} for i in range(9)}
    store = make_store(str(tmp_path), 9, near=[range(8)], health=health)
    rows = {row["track_id"]: row for row in store.read(only_copies(store)).to_pylist()}
    for row in (f"t{i}" for i in range(8)):
        evidence = json.loads(rows[row]["evidence"])
        assert (evidence["copies"], evidence["keep"]) == (["t0", "t1", "t7"], "t7")
    assert rows["t8"]["evidence"] is None
