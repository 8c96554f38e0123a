"""The check corrupt on a real store: what it finds, what it measures about itself, and what it can do without."""

# pyright: reportAttributeAccessIssue=false

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from audioae.api import Library
from audioae.audio.perturbations import read_whole
from audioae.library.catalog_columns import CatalogColumns
from audioae.pipeline.config import Workers
from audioae.screening.corrupt import features
from audioae.screening.corrupt.config import CorruptConfig
from audioae.screening.corrupt.faults import FAULTS, INTACT
from audioae.screening.corrupt.features import Evidence, iter_evidence, oddest_clips, read_evidence, sample_evidence
from audioae.screening.corrupt.screen import _missing_columns, screen_corrupt
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
def damaged(chain, tiny_audio: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, dict[str, str]]:
    """The catalog of 24 tracks, three of them damaged after the training; and the fault of each."""
    folder = tmp_path_factory.mktemp("damaged")
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
def screened(damaged):
    return screen(damaged[0])


def test_damaged_tracks_are_issues_with_the_rule_they_break(damaged, screened):
    library, done = damaged
    result, _ = screened
    rows = {library.find(track_id)["uri"]: row for row, track_id in enumerate(result.track_ids.to_pylist())}
    for (uri, fault), rule in zip(done.items(), ("offset", "sudden silence", "dead channel"), strict=True):
        row = rows[uri]
        assert result.is_issue[row], fault
        evidence = result.evidence[row]
        assert rule in {broken["rule"] for broken in evidence["rules"]}
        assert evidence["rules"][0]["value"] != evidence["rules"][0]["limit"]
        assert "(normal here: at " in evidence["why"]
    others = [uri for uri, row in rows.items() if result.is_issue[row] and uri not in done]
    assert len(others) <= 1, [result.evidence[rows[uri]]["why"] for uri in others]


def test_measures_itself(screened):
    result, steps = screened
    assert set(result.measured["types"]) == set(FAULTS) - {INTACT}
    assert 0.7 < result.measured["seen"] <= 1
    assert result.measured["false_positive_rate"] <= 0.1
    assert result.measured["types"]["dropouts"]["seen"] > 0.9
    assert steps[-1] == ("adding faults", 4, 4)
    assert list(result.omitted) == []
    assert result.settled


def test_scores_all_tracks_in_the_order_of_the_catalog(damaged, screened):
    library, _ = damaged
    result, _ = screened
    assert result.track_ids.tolist() == library.tracks["track_id"].to_pylist()
    assert result.score.dtype == np.float32
    assert np.isfinite(result.score).all()


def test_listens_to_the_oddest_clip(damaged):
    library, _ = damaged
    tracks = read_evidence(library).tracks.to_pylist()
    starts = oddest_clips(library, tracks[:3])
    assert starts, "their mels are stored"
    assert set(starts) <= {track["track_id"] for track in tracks[:3]}
    assert all(0 <= start_s < 9 for start_s in starts.values())
    assert oddest_clips(library, []) == {}


def test_few_tracks_are_scored_by_rules_alone(damaged):
    library, done = damaged
    few = Library(library.store)
    kept = library.tracks.filter(pc.invert(pc.is_in(library.tracks["uri"], value_set=pa.array(list(done)))))
    few.columns = CatalogColumns.of(kept.slice(0, 3))
    screened, steps = screen(few)
    assert list(screened.omitted) == ["only rules are used: 3 clean tracks to train on, wanted at least 16"]
    assert (screened.score == 1).all()
    assert "types" not in screened.measured
    assert steps == []


def test_missing_files_are_scored_by_rules_alone(damaged, tmp_path: Path):
    library, done = damaged
    gone = Library(library.store)
    tracks = library.tracks
    uris = pa.array([f"/nowhere/{uri}" for uri in tracks["uri"].to_pylist()])
    gone.columns = CatalogColumns.of(tracks.set_column(tracks.column_names.index("uri"), "uri", uris))
    screened, _ = screen(gone)
    assert "could not be read again, so only rules are used; the first: " in screened.omitted[0]
    assert not screened.settled
    assert screened.is_issue.sum() >= len(done)


def test_health_of_an_older_version_and_missing_labels_are_no_problem(damaged):
    library, done = damaged
    old = Library(library.store)

    class OldStore(Store):
        def read_part(self, dataset, fingerprint, columns=None):
            table = super().read_part(dataset, fingerprint, columns)
            if dataset == "health":
                first = table.column_names.index("fall_db")
                for name in table.column_names[first:]:
                    table = table.set_column(table.column_names.index(name), name, pa.nulls(len(table), pa.float32()))
            return table

    old.store = OldStore(library.store.root)
    tracks = library.tracks
    nothing = pa.nulls(len(tracks), pa.string())
    for name in ("label", "artist"):
        tracks = tracks.set_column(tracks.column_names.index(name), name, nothing)
    old.columns = CatalogColumns.of(tracks)
    screened, _ = screen(old, CorruptConfig(n_sample=2, n_faults=2, leave_out=False))
    assert "decoded by an older version; run the pipeline again" in screened.omitted[0]
    offset = next(
        row for row, t in enumerate(screened.track_ids.to_pylist()) if done.get(library.find(t)["uri"]) == "offset"
    )
    assert screened.is_issue[offset]


def test_says_of_how_many_tracks_an_older_version_measured_less():
    columns = {"fall_db": np.ones(4), "spike_db": np.array([np.nan, 20, np.nan, np.nan]), "examined_s": np.full(4, 9.0)}
    columns["examined_s"][3] = 0.05
    ids = pa.table({"track_id": ["a", "b", "c", "d"]})
    (sentence,) = _missing_columns(Evidence(ids, columns))
    assert sentence.endswith("known less well of 2 of 4 tracks, which an older version decoded")
    assert _missing_columns(Evidence(ids, columns | {"spike_db": np.ones(4)})) == []


def test_a_large_catalog_is_scored_by_what_a_sample_says_is_normal(damaged, screened, monkeypatch):
    """Of 24 tracks, 20 say what is normal; those that are damaged are found among all."""
    library, done = damaged
    config = CorruptConfig.model_construct(**{**CONFIG.model_dump(), "max_tracks": 20})
    sampled, _ = screen(library, config)
    whole, _ = screened
    assert sampled.track_ids.equals(whole.track_ids)
    assert np.isfinite(sampled.score).all()
    uris = [library.find(track_id)["uri"] for track_id in sampled.track_ids.to_pylist()]
    assert {uri for uri, is_issue in zip(uris, sampled.is_issue, strict=True) if is_issue} >= set(done)
    assert sampled.omitted[0] == ("what is normal is learned on a random sample of 20 of 24 tracks; all are scored")
    assert sampled.measured["broken"] == pytest.approx(len(done) / 24, abs=1.5 / 24)


def test_evidence_is_read_shard_by_shard(damaged):
    library, _ = damaged
    whole, parts = read_evidence(library), list(iter_evidence(library))
    assert len(parts) > 1
    assert Evidence.concat(parts).tracks.equals(whole.tracks)
    assert whole.tracks["track_id"].to_pylist() == library.tracks["track_id"].to_pylist()
    few, places = sample_evidence(library, 9)
    assert len(few) == len(places) == 9
    assert few.tracks.equals(whole.take(places).tracks)
    for name, values in few.columns.items():
        np.testing.assert_array_equal(values, whole.columns[name][places])


def test_says_where_to_listen_for_the_worst_if_that_means_to_read_many_shards(damaged, monkeypatch):
    library, _ = damaged
    tracks = read_evidence(library).tracks.to_pylist()[::-1]
    monkeypatch.setattr(features, "_MAX_READ", 1)
    assert set(oddest_clips(library, tracks)) <= {t["track_id"] for t in tracks if t["shard"] == tracks[0]["shard"]}
    assert oddest_clips(library, tracks)


def test_a_catalog_with_a_single_artist_is_scored(damaged):
    library, _ = damaged
    alone = Library(library.store)
    tracks = library.tracks
    artist = pa.array(["Various Artists"] * len(tracks), pa.string())
    alone.columns = CatalogColumns.of(tracks.set_column(tracks.column_names.index("artist"), "artist", artist))
    screened, _ = screen(alone, CorruptConfig(n_sample=2, n_faults=2, leave_out=True))
    assert len(screened.measured["types"]) == 4
    assert np.isfinite(screened.score).all()
