"""The check over a real store: what it finds, what it says about itself, and what it can do without."""

# pyright: reportAttributeAccessIssue=false

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from audioae.api import Library
from audioae.audio.perturbations import read_whole
from audioae.pipeline.config import Workers
from audioae.screening.corrupt.faults import FAULTS, INTACT
from audioae.screening.corrupt.features import oddest_clips, read_evidence
from audioae.screening.corrupt.screen import CorruptConfig, screen_corrupt
from audioae.store.dataset import Store
from tests.audio.made import write
from tests.chain import run_chain

CONFIG = CorruptConfig(n_sample=4, n_faults=len(FAULTS) - 1, leave_out=False)


def screen(library: Library, config: CorruptConfig = CONFIG):
    steps = []
    return screen_corrupt(
        library, config, Workers(), lambda what, done, total: steps.append((what, done, total))
    ), steps


@pytest.fixture(scope="module")
def harmed(chain, tiny_audio: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, dict[str, str]]:
    """The catalog of 24 tracks, three of them harmed since it was trained on; which fault each has."""
    folder = tmp_path_factory.mktemp("harmed")
    catalog = folder / "catalog"
    shutil.copytree(tiny_audio, catalog)
    paths = sorted(path for path in catalog.rglob("*.wav"))[:1] + sorted(catalog.rglob("*.flac"))[:2]
    done = {}
    for path, fault in zip(paths, ("offset", "dropouts", "dead channel"), strict=True):
        planes, rate = read_whole(path)
        changed, _ = FAULTS[fault].change(planes, rate)
        write(path, changed.T, rate)
        done[str(path)] = fault
    store, config = chain
    root = folder / "store"
    shutil.copytree(store.root, root)
    moved = config.catalog.model_copy(update={"source": str(catalog)})
    run_chain(config.model_copy(update={"store": str(root), "catalog": moved}), store.require("model"))
    return Library(Store(str(root))), done


@pytest.fixture(scope="module")
def screened(harmed):
    return screen(harmed[0])


def test_harmed_tracks_are_found_with_the_rule_they_break(harmed, screened):
    library, done = harmed
    found, _ = screened
    rows = {library.find(track_id)["uri"]: row for row, track_id in enumerate(found.track_ids)}
    for (uri, fault), rule in zip(done.items(), ("offset", "sudden silence", "dead channel"), strict=True):
        row = rows[uri]
        assert found.is_issue[row], fault
        evidence = found.evidence[row]
        assert rule in {broken["rule"] for broken in evidence["rules"]}
        assert evidence["rules"][0]["value"] != evidence["rules"][0]["limit"]
        assert "is usual here" in evidence["why"]
    others = [uri for uri, row in rows.items() if found.is_issue[row] and uri not in done]
    assert len(others) <= 1, [found.evidence[rows[uri]]["why"] for uri in others]


def test_what_it_says_of_itself(screened):
    found, steps = screened
    assert set(found.measured["types"]) == set(FAULTS) - {INTACT}
    assert 0.7 < found.measured["seen"] <= 1
    assert found.measured["false_positive_rate"] <= 0.1
    assert found.measured["types"]["dropouts"]["seen"] > 0.9
    assert steps[-1] == ("faults", 4, 4)
    assert list(found.omitted) == []
    assert found.settled


def test_the_order_is_the_catalogs_and_scores_are_in_range(harmed, screened):
    library, _ = harmed
    found, _ = screened
    assert found.track_ids.tolist() == library.tracks["track_id"].to_pylist()
    assert found.score.dtype == np.float32
    assert np.isfinite(found.score).all()


def test_where_to_listen(harmed):
    library, _ = harmed
    tracks = read_evidence(library).tracks
    heard = oddest_clips(library, tracks[:3])
    assert set(heard) <= {track["track_id"] for track in tracks[:3]}
    assert all(0 <= at_s < 9 for at_s in heard.values())
    assert oddest_clips(library, []) == {}


def test_three_tracks_are_judged_by_rules_alone(harmed):
    library, done = harmed
    few = Library(library.store)
    few.__dict__["tracks"] = library.tracks.filter(
        pc.invert(pc.is_in(library.tracks["uri"], value_set=pa.array(list(done))))
    ).slice(0, 3)
    found, steps = screen(few)
    assert list(found.omitted) == ["3 clean tracks are too few to learn from, wanted 16: rules only"]
    assert (found.score == 1).all()
    assert "types" not in found.measured
    assert steps == []


def test_files_that_are_gone_leave_the_rules(harmed, tmp_path: Path):
    library, done = harmed
    gone = Library(library.store)
    tracks = library.tracks
    uris = pa.array([f"/nowhere/{uri}" for uri in tracks["uri"].to_pylist()])
    gone.__dict__["tracks"] = tracks.set_column(tracks.column_names.index("uri"), "uri", uris)
    found, _ = screen(gone)
    assert "cannot be read again, rules only" in found.omitted[0]
    assert not found.settled
    assert found.is_issue.sum() >= len(done)


def test_health_of_version_1_and_no_labels(harmed):
    library, done = harmed
    old = Library(library.store)

    class OldStore(Store):
        def read(self, ref, columns=None):
            table = super().read(ref, columns)
            if ref.dataset == "health":
                first = table.column_names.index("fall_db")
                for name in table.column_names[first:]:
                    table = table.set_column(table.column_names.index(name), name, pa.nulls(len(table), pa.float32()))
            return table

    old.store = OldStore(library.store.root)
    tracks = library.tracks
    nothing = pa.nulls(len(tracks), pa.string())
    for name in ("label", "artist"):
        tracks = tracks.set_column(tracks.column_names.index(name), name, nothing)
    old.__dict__["tracks"] = tracks
    found, _ = screen(old, CorruptConfig(n_sample=2, n_faults=2, leave_out=False))
    assert "measured by an older version" in found.omitted[0]
    offset = next(row for row, t in enumerate(found.track_ids) if done.get(library.find(t)["uri"]) == "offset")
    assert found.is_issue[offset]


def test_one_artist_for_all_is_no_reason_to_learn_nothing(harmed):
    library, _ = harmed
    alone = Library(library.store)
    tracks = library.tracks
    artist = pa.array(["Various Artists"] * len(tracks), pa.string())
    alone.__dict__["tracks"] = tracks.set_column(tracks.column_names.index("artist"), "artist", artist)
    found, _ = screen(alone, CorruptConfig(n_sample=2, n_faults=2, leave_out=True))
    assert len(found.measured["types"]) == 4
    assert np.isfinite(found.score).all()
