"""Mapped columns and rows give what the tables in memory give: filters, alignment and answers, whatever the catalog."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import audioae
from audioae.api import Library
from audioae.errors import NoMatchError, SearchError, StoreError
from audioae.library import catalog_columns
from audioae.library.alignment import RowAlignment
from audioae.library.array_files import FilesInMemory
from audioae.library.catalog_columns import CatalogColumns, open_columns, write_columns
from audioae.library.filters import Filters, matching
from audioae.pipeline.index_neighbors import read_index_neighbors
from audioae.similarity.search import Options
from audioae.store.dataset import Store
from audioae.store.schemas import TRACKS
from tests.stores import made_store

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
DAY = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = st.sampled_from(["Rock", "rock", "ROCK", "Élan", "élan", "Straße", "", "x"])
TEXTS = st.none() | NAMES
YEARS = st.none() | st.integers(-(2**31), 2**31 - 1) | st.sampled_from([1990, 2000])
SECONDS = st.none() | st.sampled_from([0.0, 180.5, float("nan"), 1e9])
BOUNDS = st.none() | st.sampled_from([-1e12, 0, 180.5, 1990, 2000, 1e12])
RANGES = st.tuples(BOUNDS, BOUNDS)


@st.composite
def catalogs(draw: st.DrawFn) -> pa.Table:
    n = draw(st.integers(1, 12))
    columns = {name: draw(st.lists(TEXTS, min_size=n, max_size=n)) for name in ("label", "artist", "album")}
    rows = {
        "track_id": [f"t{i}" * (1 + i % 3) for i in range(n)],
        "uri": [f"/{i}" for i in range(n)],
        "year": draw(st.lists(YEARS, min_size=n, max_size=n)),
        "duration_s": draw(st.lists(SECONDS, min_size=n, max_size=n)),
        "shard": [0] * n,
        "added_at": [DAY + timedelta(days=day) for day in draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))],
        **columns,
    }
    return pa.table({f.name: pa.array(rows.get(f.name, [None] * n), f.type) for f in TRACKS}, schema=TRACKS)


def filters_of(tracks: pa.Table) -> st.SearchStrategy[Filters]:
    ids = st.sampled_from([*tracks["track_id"].to_pylist(), "unknown", "", "t0\0", "é" * 40, "\ud800"])
    named = st.lists(NAMES, max_size=2)
    return st.builds(
        Filters,
        label=named,
        artist=named,
        album=named,
        year=RANGES,
        duration_s=RANGES,
        added_after=st.none() | st.integers(0, 5).map(lambda day: DAY + timedelta(days=day)),
        allow=st.none() | st.lists(ids, max_size=8),
        deny=st.lists(ids, max_size=4),
    )


def one_by_one(tracks: pa.Table, filters: Filters) -> list[bool] | None:
    """Which rows pass, row by row in Python; None if the filters are wrong."""
    rows = tracks.to_pylist()
    for name in ("label", "artist", "album"):
        known = {row[name].casefold() for row in rows if row[name] is not None}
        if any(text.casefold() not in known for text in getattr(filters, name)):
            return None
    for low, high in (filters.year, filters.duration_s):
        if low is not None and high is not None and low > high:
            return None
    return [passes(row, filters) for row in rows]


def passes(row: dict, filters: Filters) -> bool:
    for name in ("label", "artist", "album"):
        wanted, text = {text.casefold() for text in getattr(filters, name)}, row[name]
        if wanted and (text is None or text.casefold() not in wanted):
            return False
    for name in ("year", "duration_s"):
        (low, high), value = getattr(filters, name), row[name]
        if (low, high) != (None, None) and (value is None or value != value):
            return False
        if (low is not None and value < low) or (high is not None and value > high):
            return False
    if filters.added_after and row["added_at"] < filters.added_after:
        return False
    return (filters.allow is None or row["track_id"] in filters.allow) and row["track_id"] not in filters.deny


def in_parts(tracks: pa.Table, n_parts: int) -> CatalogColumns:
    """The columns of a catalog in several parts, as they are written and read."""
    files, size = FilesInMemory(), -(-tracks.num_rows // n_parts)
    write_columns(files, [tracks.slice(i, size) for i in range(0, tracks.num_rows, size)], TRACKS)
    return CatalogColumns(files)


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_filters_on_columns_pass_what_passes_row_by_row(data):
    tracks = data.draw(catalogs())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog_columns, "BLOCK", data.draw(st.integers(1, 6)))
        columns = in_parts(tracks, data.draw(st.integers(1, 4)))
    assert columns.tracks.drop_columns("duration_s").equals(tracks.drop_columns("duration_s"))  # NaN differs from NaN
    for filters in data.draw(st.lists(filters_of(tracks), min_size=1, max_size=6)):
        wanted = one_by_one(tracks, filters)
        if wanted is None:
            with pytest.raises(SearchError, match=r"no track has the|wanted the smaller number first"):
                matching(columns, filters)
        elif not any(wanted):
            with pytest.raises(NoMatchError, match="passes all filters"):
                matching(columns, filters)
        else:
            assert matching(columns, filters).tolist() == wanted


def in_memory(library: Library) -> dict[str, np.ndarray]:
    """What the alignment of a generation must be, from whole tables."""
    tracks, ids = library.store.read(library.tracks_ref), library.index.ids
    index_row = pc.index_in(pc.coalesce(tracks["duplicate_of"], tracks["track_id"]), value_set=ids)
    index_row = pc.fill_null(index_row, -1).to_numpy()
    embedded = pc.is_null(tracks["duplicate_of"]).to_numpy()
    by_index = np.lexsort((~embedded, index_row))[(index_row < 0).sum() :]
    place = np.full(tracks.num_rows, -1)
    place[by_index] = np.arange(len(by_index))
    group = np.arange(len(ids))
    if (neighbors := read_index_neighbors(library.store, library.index_ref)) is not None:
        neighbors = neighbors.take(pc.index_in(ids, value_set=neighbors["track_id"]))
        group = pc.coalesce(pc.index_in(neighbors["duplicate_group"], value_set=ids), pa.array(group)).to_numpy()
    return {
        "index_row": index_row,
        "by_index": by_index,
        "place": place,
        "sorted_index_row": index_row[by_index],
        "catalog_row": pc.index_in(ids, value_set=tracks["track_id"]).to_numpy(),
        "group": group,
    }


def check_alignment(library: Library, alignment: RowAlignment) -> None:
    for name, wanted in in_memory(library).items():
        np.testing.assert_array_equal(getattr(alignment, name), wanted, err_msg=name)
    artists = library.tracks["artist"].to_pylist()
    pairs = set(zip(artists, alignment.artist.tolist(), strict=True))
    assert len(pairs) == len(set(artists)) == len(set(alignment.artist.tolist()))
    assert all((artist is None) == (number == -1) for artist, number in pairs)
    neighbors = read_index_neighbors(library.store, library.index_ref)
    if neighbors is not None:
        radius = dict(zip(neighbors["track_id"].to_pylist(), neighbors["radius"].to_pylist(), strict=True))
        assert alignment.mean_knn_cosine.tolist() == [radius[track_id] for track_id in library.index.ids.to_pylist()]


@pytest.fixture(params=range(3))
def made(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A catalog with copies, byte-identical tracks, rejected and pending ones, in a random order."""
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(catalog_columns, "BLOCK", 10)
    rng = random.Random(request.param)
    n = 30
    free = rng.sample(range(1, n), 12)
    parts = {"copies": free[:4], "same_bytes": free[4:8]}
    earlier = [i for i in range(n) if i not in free]
    of = {name: {i: rng.choice([j for j in [0, *earlier] if j < i]) for i in parts[name]} for name in parts}
    texts = ["Ada", "ada", "Bo", None, "Élan"]
    columns = {name: [rng.choice(texts) for _ in range(n)] for name in ("artist", "album")}
    columns["year"] = [rng.choice([None, 1990, 2000, 2010]) for _ in range(n)]
    return made_store(
        tmp_path / "store",
        n,
        copies=of["copies"],
        same_bytes=of["same_bytes"],
        rejected=free[8:10],
        pending=free[10:],
        columns=columns,
    )


def test_a_mapped_generation_is_the_one_in_memory(made: Store):
    in_memory_, first, second = Library(made), audioae.open(made.root), audioae.open(made.root)
    for library in (in_memory_, first, second):
        check_alignment(library, library.alignment)
        assert library.tracks.equals(made.read(library.tracks_ref))
    rng = random.Random(1)
    for _ in range(30):
        seed = rng.choice(first.index.ids.to_pylist())
        filters = Filters(
            artist=rng.sample(["ADA", "bo", "élan"], rng.randrange(3)),
            year=rng.choice([(None, None), (1995, None), (None, 2005)]),
            deny=rng.sample(made.read(first.tracks_ref)["track_id"].to_pylist(), 2),
        )
        options = Options(
            filters,
            diversity=rng.choice([0, 0.4]),
            max_per_artist=rng.choice([None, 1]),
            hub_correction=rng.random() < 0.3,
            keep_duplicates=rng.random() < 0.5,
        )
        answers = [answer_of(library, seed, options) for library in (in_memory_, first, second)]
        assert answers[0] == answers[1] == answers[2]


def answer_of(library: Library, seed: str, options: Options) -> object:
    try:
        return library.similar(seed, 8, options=options)
    except NoMatchError as error:
        return str(error)


def test_an_old_store_is_mapped_in_the_present_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path))
    library = audioae.open(str(GOLDEN))
    assert library.tracks.schema == TRACKS
    check_alignment(library, library.alignment)
    with pytest.raises(SearchError, match="does not hold the mean cosines"):
        _ = library.alignment.mean_knn_cosine


def test_another_catalog_or_neighborhood_is_derived_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path / "cache"))
    roots = [
        made_store(tmp_path / name, n, copies=copies).root for name, n, copies in (("a", 12, {}), ("b", 12, {7: 3}))
    ]
    libraries = [audioae.open(root) for root in (*roots, *roots)]
    for library in libraries:
        check_alignment(library, library.alignment)
    assert len([path for path in (tmp_path / "cache").iterdir() if path.name.startswith("alignment-")]) == 2


def test_an_index_of_tracks_that_the_catalog_lacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path / "cache"))
    store = made_store(tmp_path / "store", 12)
    for library in (Library(store), audioae.open(store.root)):
        library.columns = CatalogColumns.of(library.tracks.slice(2))
        with pytest.raises(StoreError, match="contains 2 tracks missing from tracks@"):
            _ = library.alignment
    assert not list((tmp_path / "cache").glob("alignment-*"))


def test_a_store_that_verifies_reads_its_parts_and_not_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What a job publishes must come from what was published, not from a copy that nobody has hashed."""
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path / "cache"))
    store = made_store(tmp_path / "store", 12)
    open_columns(store, store.require("tracks"))
    assert not (tmp_path / "cache").exists()


def test_a_catalog_of_no_tracks():
    files = FilesInMemory()
    write_columns(files, [], TRACKS)
    columns = CatalogColumns(files)
    assert (len(columns), columns.ids.row_of("a"), columns.tracks.schema) == (0, -1, TRACKS)
    with pytest.raises(SearchError, match="this catalog has no labels"):
        matching(columns, Filters(label=["rock"]))
