"""Rows of a map: their places, who they are, what is known of them, and which pass filters."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audioae.api import Library
from audioae.errors import MapChangedError, NotMappedError, SearchError
from audioae.explore.categories import NONE
from audioae.explore.codes import track_codes
from audioae.library.filters import Filters
from audioae.pipeline.index import build_index
from audioae.playlists.tempos import Tempos
from audioae.search.factory import IndexConfig
from audioae.store.dataset import Store
from tests.explore.made_map import WIDTH, add_findings, add_map
from tests.serve.serving import COPIES, PENDING, REJECTED, SAME_BYTES, catalog_store
from tests.stores import random_weights

OFF_MAP = {*REJECTED, *PENDING}


def frame_of(library: Library) -> Any:
    """A line per row of the map, from the datasets."""
    tracks = library.store.read(library.tracks_ref).to_pandas().set_index("track_id")
    places = library.store.read(library.map().ref).to_pandas().set_index("track_id")
    ids = library.index.ids.to_pylist()
    health = library.store.read(library.store.manifest(library.embeddings_ref).parent("health")).to_pandas()
    joined = tracks.loc[ids].join(places[["x", "y", "region"]])
    for name in ("label", "artist", "album"):
        joined[name] = joined[name].astype(object).where(joined[name].notna(), None)
    joined["energy"] = health.set_index("track_id")["rms_dbfs"].loc[ids]
    return joined.reset_index()


def test_points_are_in_the_order_of_the_index(mapped: Library):
    opened, frame = mapped.map(), frame_of(mapped)
    assert len(opened) == len(mapped) == 55
    assert opened.points.tolist() == frame[["x", "y"]].to_numpy().tolist()
    assert (opened.points.dtype, opened.bounds) == (np.float32, (0.0, 0.0, WIDTH - 1.0, 54 // WIDTH))
    assert opened.rows.region.tolist() == frame["region"].tolist()


def test_tracks_say_who_they_are(mapped: Library):
    opened, frame = mapped.map(), frame_of(mapped)
    for row, track in enumerate(opened.tracks(range(len(opened)))):
        wanted = frame.iloc[row]
        assert track is not None
        for name in ("track_id", "title", "artist", "album", "label", "uri", "duration_s", "x", "y"):
            assert track[name] == wanted[name], (row, name)
        assert track["row"] == row
        assert track["year"] == (None if np.isnan(wanted["year"]) else wanted["year"])
        assert track["region"] == {0: "high land", 4: "low <b>land</b>", -1: None}[wanted["region"]]
    assert opened.tracks([0, -1, 55, 3])[1:3] == [None, None]
    assert opened.tracks([]) == []


def test_rows_of_tracks(mapped: Library):
    opened = mapped.map()
    ids = [f"t{i:02d}" for i in range(60)]
    rows = dict(zip(ids, opened.rows_of([*ids, "gone"]).tolist(), strict=False))
    assert {int(track_id[1:]) for track_id, row in rows.items() if row < 0} == OFF_MAP
    assert opened.rows_of(["gone"]).tolist() == [-1]
    for copy, original in SAME_BYTES.items():
        assert rows[ids[copy]] == rows[ids[original]]
    shown = opened.tracks([rows[track_id] for track_id in ids[:50]])
    assert [track and track["track_id"] for track in shown] == ids[:50]


def test_numbers_are_those_of_the_datasets(mapped: Library):
    columns, frame = mapped.map().columns, frame_of(mapped)
    wanted = {name: frame[name].astype(np.float32) for name in ("year", "duration_s", "energy")}
    wanted["added_at"] = (frame["added_at"] - datetime(1970, 1, 1, tzinfo=UTC)) / pd.Timedelta(days=1)
    embeddings = mapped.store.read(mapped.embeddings_ref).to_pandas().set_index("track_id").loc[frame["track_id"]]
    wanted |= {name: embeddings[name] for name in ("reconstruction_error", "spread", "n_clips")}
    for name, values in wanted.items():
        got, legend = columns.values(name), columns.legend(name)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, values.to_numpy(np.float32), err_msg=name)
        assert [legend["min"], legend["max"]] == [values.min(), values.max()]
        for key, share in (("p1", 0.01), ("p50", 0.5), ("p99", 0.99)):
            assert legend[key] == pytest.approx(values.quantile(share), rel=1e-5), name
        assert legend["n"] == values.notna().sum()
    assert columns.values("closeness").tolist() == mapped.alignment.mean_knn_cosine.tolist()
    assert columns.present["added_at"].kind == "time"
    assert "tempo" not in columns.present  # none is saved
    assert "bandwidth_hz" not in columns.present  # null for all
    with pytest.raises(SearchError, match="no column 'tempo'; it has: label, artist, region"):
        columns.values("tempo")


def test_categories_are_those_of_the_datasets(mapped: Library):
    columns, frame = mapped.map().columns, frame_of(mapped)
    frame["region"] = frame["region"].map({0: "high land", 4: "low <b>land</b>"}).astype(object)
    frame["region"] = frame["region"].where(frame["region"].notna(), None)
    for name in ("label", "artist", "region"):
        legend = {row["code"]: row["value"] for row in columns.legend(name)["values"]}
        got = [legend.get(code) for code in columns.values(name).tolist()]
        assert got == frame[name].tolist(), name
        assert {row["value"]: row["n"] for row in columns.legend(name)["values"]} == frame[
            name
        ].value_counts().to_dict()
    assert (columns.values("region") == NONE).sum() == 1


def test_findings_and_duplicates(mapped: Library):
    opened = mapped.map()
    legends = {
        name: {row["value"]: row["code"] for row in opened.columns.legend(name)["values"]}
        for name in ("finding", "duplicate")
    }
    worst = opened.columns.values("finding")
    rows = opened.rows_of([f"t{i:02d}" for i in range(60)])
    assert worst[rows[3]] == legends["finding"]["mislabeled"]  # its lowest score
    assert worst[rows[12]] == legends["finding"]["corrupt"]
    assert (worst != NONE).sum() == 2  # no issues, or not on the map
    assert [(opened.tracks([rows[i]])[0] or {})["finding"] for i in (3, 12, 4)] == ["mislabeled", "corrupt", None]
    copies = opened.columns.values("duplicate")
    for copy, original in COPIES.items():
        assert copies[rows[copy]] == legends["duplicate"]["copy"]
        assert copies[rows[original]] == legends["duplicate"]["has copies"]
    assert (copies != NONE).sum() == len({*COPIES, *COPIES.values()})


def test_masks_are_filters(mapped: Library):
    opened, frame = mapped.map(), frame_of(mapped)
    assert opened.mask(Filters()).all()
    got = opened.mask(Filters(label=["STYLE 1"], year=(1990, None)))
    tracks: Any = mapped.store.read(mapped.tracks_ref).to_pandas()
    passed = tracks[(tracks["label"] == "style 1") & (tracks["year"] >= 1990)]
    embedded = {*passed["duplicate_of"].fillna(passed["track_id"])}  # a copy with the same bytes may pass
    assert got.tolist() == frame["track_id"].isin(embedded).tolist()
    assert not opened.mask(Filters(year=(1800, 1801))).any()
    by_copy = opened.mask(Filters(allow=["t50", "t57"]))
    assert np.flatnonzero(by_copy).tolist() == opened.rows_of(["t05"]).tolist()
    with pytest.raises(SearchError, match="no track has the label"):
        opened.mask(Filters(label=["polka"]))


def test_a_store_without_a_map(tmp_path):
    library = Library(catalog_store(tmp_path))
    with pytest.raises(NotMappedError, match="audioae run map CONFIG"):
        library.map()


def test_the_map_changes_as_a_whole_and_its_rows_are_named(tmp_path):
    store = catalog_store(tmp_path)
    first = add_map(store)
    library = Library(store)
    opened = library.map()
    assert library.map() is opened
    assert library.map(opened.version) is opened
    second = add_map(store, seed=1)
    assert library.map(look=False) is opened  # it looked a moment ago
    newer = library.map()
    assert (opened.ref, newer.ref) == (first, second)
    assert newer.points[:, 0].tolist() == (opened.points[:, 0] + 10).tolist()
    assert newer.version != opened.version
    with pytest.raises(MapChangedError, match=f"rows of the map {opened.version} .* load the map again"):
        library.map(opened.version)
    assert library.map(newer.version, look=False) is newer


def test_newer_findings_are_shown_and_keep_the_rows(tmp_path):
    store = catalog_store(tmp_path)
    add_map(store)
    library = Library(store)
    before = library.map()
    assert "finding" not in before.columns.present
    add_findings(store, [("t04", "corrupt", 0.1, True)])
    after = library.map()
    assert after.version == before.version
    assert (after.columns.values("finding") != NONE).tolist() == (np.arange(55) == after.rows_of(["t04"])[0]).tolist()
    assert after.columns.tag("label") == before.columns.tag("label")
    add_findings(store, [("t05", "corrupt", 0.1, True)])
    assert library.map().columns.tag("finding") != after.columns.tag("finding")


def test_an_older_map_shows_the_tracks_that_both_have(tmp_path):
    store = catalog_store(tmp_path)
    made = add_map(store)
    embeddings = store.manifest(store.require("index")).parent("embeddings")
    build_index(store, IndexConfig(factory="HNSW32"), embeddings)
    opened = Library(store).map()
    assert opened.ref == made
    assert opened.outdated == (
        f"the map is of {opened.index_ref}, this index is {store.require('index')}: run `audioae run map CONFIG`"
    )
    assert len(opened) == 55
    again = add_map(store)
    assert Library(store).map().outdated is None
    assert again != made


def test_a_map_of_fewer_tracks(tmp_path):
    """Tracks of the index that the map does not have get no row; the others keep the order of the index."""
    store = catalog_store(tmp_path)
    ref = add_map(store, without=("t10", "t00"))
    library = Library(store)
    opened = library.map()
    ids = [track_id for track_id in library.index.ids.to_pylist() if track_id not in ("t10", "t00")]
    assert [track and track["track_id"] for track in opened.tracks(range(len(opened)))] == ids
    assert opened.rows_of(["t10", "t51", "t00", "t05"]).tolist() == [-1, -1, -1, ids.index("t05")]
    places = store.read(ref).to_pandas().set_index("track_id").loc[ids]
    assert opened.points.tolist() == places[["x", "y"]].to_numpy().tolist()
    assert opened.columns.values("closeness").tolist() == pytest.approx(
        library.alignment.mean_knn_cosine[[library.index.ids.to_pylist().index(one) for one in ids]].tolist()
    )


@pytest.mark.timeout(100)
def test_a_map_is_opened_before_anything_else(mapped: Library, tmp_path, monkeypatch: pytest.MonkeyPatch):
    """The cache makes one thing at a time: what a map is derived from is there before it is made."""
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path))
    assert len(Library(Store(mapped.store.root, verify=False)).map()) == 55
    assert {path.name.rsplit("-", 2)[0] for path in tmp_path.iterdir()} >= {"map-rows", "map-columns", "alignment"}


def test_a_store_that_verifies_its_reads_has_the_same_map(mapped: Library, tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path))
    careful, quick = mapped.map(), Library(Store(mapped.store.root, verify=False)).map()
    assert careful.points.tolist() == quick.points.tolist()
    for name in [name for name in careful.columns.present if name != "code"]:  # the model has no weights
        np.testing.assert_array_equal(careful.columns.values(name), quick.columns.values(name))
        assert careful.columns.legend(name) == quick.columns.legend(name)


def test_tempos_that_playlists_saved_are_a_column(tmp_path):
    store = catalog_store(tmp_path)
    add_map(store)
    library = Library(store)
    contents = store.read(library.tracks_ref).to_pandas().set_index("track_id")["content_hash"]
    saved = {contents["t03"]: 120.5, contents["t05"]: 90.0, contents["t09"]: float("nan"), "gone": 60.0}
    Tempos(store, library.mels_config).save(saved)
    opened = library.map()
    got, rows = opened.columns.values("tempo"), opened.rows_of(["t03", "t05", "t09"])
    assert got[rows].tolist() == pytest.approx([120.5, 90.0, np.nan], nan_ok=True)
    assert (~np.isnan(got)).sum() == 2
    assert opened.columns.legend("tempo")["n"] == 2


def test_codes_are_a_column_that_is_computed_when_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path / "cache"))
    store = catalog_store(tmp_path, 12, model=random_weights())
    add_map(store)
    opened = Library(store).map()
    assert "code" in opened.columns.present
    texts = {row["code"]: row["value"] for row in opened.columns.legend("code")["values"]}
    codes = track_codes(opened.library)[opened.rows.index_row].tolist()
    assert [texts[code] for code in opened.columns.values("code").tolist()] == [f"code {code}" for code in codes]
