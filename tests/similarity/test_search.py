"""Similar tracks of a store that holds copies: what is left out, what is found, what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from audioae.api import Library
from audioae.audio.perturbations import PERTURBATIONS, read_whole, write_version
from audioae.cli import app
from audioae.errors import AudioError, SearchError
from audioae.library.filters import Filters
from audioae.pipeline.embed import commit_embeddings, compute_embeddings, pending_embeddings
from audioae.pipeline.index import build_index
from audioae.pipeline.index_neighbors import FILE, nearest_others, read_index_neighbors
from audioae.pipeline.mels import commit_mels, compute_mels, pending_mels
from audioae.pipeline.tracks import update_tracks
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from audioae.similarity.search import Options
from audioae.store.dataset import Store
from tests.chain import copy_datasets
from tests.search.made import make_table
from tests.stores import made_store

CODECS = ("mp3 128 kb/s", "mp3 64 kb/s", "aac 96 kb/s", "ogg vorbis", "48 kHz")
GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
K = 5


def encode(source: str, name: str, target: Path) -> Path:
    """A re-encoded copy beside `target`."""
    perturbation = next(p for p in PERTURBATIONS if p.name == name)
    target.mkdir()
    made = write_version(*read_whole(source), perturbation, target)
    return made.rename(target.with_suffix(made.suffix))


@pytest.fixture(scope="session")
def copies(chain, tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, dict[str, list[str]]]:
    """The catalog of `chain` with five more versions of four tracks, and one file twice; and what is a copy of what."""
    store, config = chain
    root = tmp_path_factory.mktemp("copies")
    shutil.copytree(config.catalog.source, root / "catalog")
    rows = sorted(Library(store).tracks.to_pylist(), key=lambda row: row["uri"])[:20:5]
    twins = {}
    for i, row in enumerate(rows):
        made = [encode(row["uri"], name, root / "catalog" / f"copy {i} {j}") for j, name in enumerate(CODECS)]
        twins[str(root / "catalog" / Path(row["uri"]).relative_to(config.catalog.source))] = [
            str(path) for path in made
        ]
    shutil.copy(rows[0]["uri"], root / "catalog" / f"twice{Path(rows[0]['uri']).suffix}")
    other = Store(str(root / "store"))
    copy_datasets(store, other, "model")
    model, mels = other.require("model"), config.mels
    tracks = update_tracks(other, config.catalog.model_copy(update={"source": str(root / "catalog")}))
    compute_mels(other, mels, tracks, pending_mels(other, mels, tracks), config.run.decode_workers)
    commit_mels(other, mels, tracks, max_reject_rate=0.0)
    pending = pending_embeddings(other, mels, tracks, model)
    compute_embeddings(other, mels, tracks, model, pending, config.run.decode_workers)
    build_index(other, config.index, commit_embeddings(other, mels, tracks, model, max_reject_rate=0.0))
    library = Library(other)
    ids = {row["uri"]: row["track_id"] for row in library.tracks.to_pylist()}
    return library, {ids[uri]: [ids[made] for made in paths] for uri, paths in twins.items()}


def found(library: Library, *seeds, k: int = K, minus=(), **options) -> list[str]:
    filters = Filters(**options.pop("filters", {}))
    answer = library.similar(list(seeds), k, minus=minus, options=Options(filters=filters, **options))
    return [neighbor.track_id for neighbor in answer.neighbors]


def test_every_reencoded_copy_is_in_the_group_of_its_track_and_nothing_else_is(copies):
    library, twins = copies
    table = read_index_neighbors(library.store, library.index_ref)
    assert table is not None
    groups: dict[str, set[str]] = {}
    for row in table.to_pylist():
        if row["duplicate_group"]:
            groups.setdefault(row["duplicate_group"], set()).add(row["track_id"])
            assert 0.6 <= row["sameness"] <= 1
    assert sorted(map(sorted, groups.values())) == sorted(sorted([track, *made]) for track, made in twins.items())


def test_the_radius_is_the_mean_cosine_to_the_nearest_others(copies):
    library, _ = copies
    table = read_index_neighbors(library.store, library.index_ref)
    assert table is not None
    embeddings = library.index.embeddings(np.arange(len(library.index)))
    cosines = embeddings @ embeddings.T - 3 * np.eye(len(embeddings))
    by_id = dict(zip(library.index.ids.to_pylist(), np.sort(cosines, axis=1)[:, -10:].mean(axis=1), strict=True))
    radii = dict(zip(table["track_id"].to_pylist(), table["radius"].to_pylist(), strict=True))
    assert radii == pytest.approx(by_id, abs=1e-5)


def test_duplicates_of_the_query_and_of_each_other_are_left_out(copies):
    library, twins = copies
    for track, made in twins.items():
        everything = found(library, track, k=100)
        assert not {track, *made} & set(everything)
        for other, copied in twins.items():
            assert len({other, *copied} & set(everything)) == (other != track)
        for copy in made:
            assert not {track, *made} & set(found(library, copy, k=100))


def test_duplicates_are_kept_where_wished(copies):
    library, twins = copies
    for track, made in twins.items():
        everything = found(library, track, k=100, keep_duplicates=True)
        assert set(made) <= set(everything)
        assert len(everything) == library.tracks.num_rows - 1


def test_an_exact_duplicate_stands_for_its_track_where_it_alone_passes(copies):
    library, _ = copies
    twin = next(row for row in library.tracks.to_pylist() if row["duplicate_of"])
    seed = next(
        row for row in library.tracks.to_pylist() if row["track_id"] not in (twin["track_id"], twin["duplicate_of"])
    )
    answer = found(library, seed["track_id"], filters={"allow": [twin["track_id"]]})
    assert answer == [twin["track_id"]]
    assert found(library, twin["track_id"]) == found(library, twin["duplicate_of"])


def test_a_file_gives_the_answer_of_its_track(copies, tmp_path):
    """The very bytes elsewhere, and the track encoded once more: both are known as it."""
    library, twins = copies
    track = next(iter(twins))
    row = library.find(track)
    elsewhere = tmp_path / f"elsewhere{Path(row['uri']).suffix}"
    shutil.copy(row["uri"], elsewhere)
    assert library.similar(str(elsewhere), K) == library.similar(track, K)
    again = encode(row["uri"], "ogg vorbis", tmp_path / "again")
    assert not {track, *twins[track]} & set(found(library, str(again), k=100))


def test_an_embedding_is_a_query(copies):
    library, twins = copies
    track = next(iter(twins))
    embedding = library.embedding_of(library.find(track))
    answer = library.similar(3 * embedding, K)
    assert answer.neighbors[0]["score"] == pytest.approx(1, abs=1e-5)
    assert answer.neighbors[0]["track_id"] in {track, *twins[track]}
    with pytest.raises(SearchError, match=r"embedding: got shape \(5,\)"):
        library.similar(np.ones(5), K)
    with pytest.raises(SearchError, match="length nan"):
        library.similar(np.full(128, np.nan), K)


def test_weights_move_the_answer_from_one_seed_to_the_other(copies):
    library, twins = copies
    one, other = list(twins)[:2]
    near = {seed: library.similar(seed, 1).neighbors[0]["track_id"] for seed in (one, other)}
    assert found(library, f"{one}:1000", other)[0] == near[one]
    assert found(library, one, f"{other}:1000.5")[0] == near[other]
    answer = library.similar([one, other], 100)
    assert [row["track_id"] for row in answer.seeds] == [one, other]
    assert not {one, other, *twins[one], *twins[other]} & {row["track_id"] for row in answer.neighbors}


def test_what_is_disliked_is_not_in_the_answer_and_pushes_it_away(copies):
    library, twins = copies
    one, other = list(twins)[:2]
    disliked = library.embedding_of(library.find(other))

    def closeness(track_ids: list[str]) -> float:
        return float(np.mean([library.embedding_of(library.find(track)) @ disliked for track in track_ids]))

    without, with_it = found(library, one), found(library, one, minus=[other])
    assert not {other, *twins[other]} & set(found(library, one, minus=[other], k=100))
    assert closeness(with_it) < closeness(without)


@pytest.mark.parametrize("options", [{}, {"diversity": 0.5}, {"hub_correction": True}, {"max_per_artist": 4}])
def test_filters_leave_k_wherever_k_match(copies, options: dict):
    library, twins = copies
    copied = {copy for made in twins.values() for copy in made}
    rows = [row for row in library.tracks.to_pylist() if not row["duplicate_of"] and row["track_id"] not in copied]
    for label in {row["label"] for row in rows}:
        matching = {row["track_id"] for row in rows if row["label"] == label}
        for seed in rows[::7]:
            answer = found(
                library, seed["track_id"], filters={"label": [label], "deny": sorted(copied)}, k=50, **options
            )
            assert set(answer) == matching - {seed["track_id"]}


def test_options_change_the_answer_as_they_say(copies):
    library, _ = copies
    artists = dict(zip(library.tracks["track_id"].to_pylist(), library.tracks["artist"].to_pylist(), strict=True))
    seed = library.tracks["track_id"][0].as_py()
    one_each = [artists[track] for track in found(library, seed, k=8, max_per_artist=1) if artists[track]]
    assert len(one_each) == len(set(one_each))
    plain, diverse = found(library, seed, k=8), found(library, seed, k=8, diversity=0.8)
    assert plain[0] == diverse[0]
    assert plain != diverse
    corrected = library.similar(seed, 100, options=Options(hub_correction=True)).neighbors
    table = read_index_neighbors(library.store, library.index_ref)
    assert table is not None
    radius = dict(zip(table["track_id"].to_pylist(), table["radius"].to_pylist(), strict=True))
    ranked = [row["score"] - radius[row["track_id"]] / 2 for row in corrected]
    assert ranked == sorted(ranked, reverse=True)


def test_k_above_the_catalog_gives_what_there_is(copies):
    library, twins = copies
    answer = library.similar(next(iter(twins)), 10_000)
    copied = {copy for made in twins.values() for copy in made}
    assert len(answer.neighbors) == len(library.index) - len(copied) - 1
    assert [row["rank"] for row in answer.neighbors] == list(range(1, len(answer.neighbors) + 1))
    assert answer.n_matching == len(library.index)


def test_what_cannot_be_answered(copies, tmp_path):
    library, twins = copies
    track = next(iter(twins))
    text = tmp_path / "notes.mp3"
    text.write_text("not music")
    for seeds, k, more, message in (
        ([track], 0, {}, "k=0: wanted at least 1"),
        ([], 3, {}, "no seed"),
        (["nonsense"], 3, {}, "no track 'nonsense'"),
        (["nonsense:2"], 3, {}, "no track 'nonsense:2'"),
        ([f"{track}:0"], 3, {}, "wanted numbers above 0"),
        ([track], 3, {"minus": [track]}, "both liked and disliked"),
        ([track], 3, {"options": Options(diversity=2)}, "diversity=2: wanted 0"),
        ([track], 3, {"options": Options(max_per_artist=0)}, "max_per_artist=0"),
        ([track], 3, {"options": Options(Filters(year=(1800, 1801)))}, "no track of 45 passes all filters"),
    ):
        with pytest.raises(SearchError, match=message):
            library.similar(seeds, k, **more)
    with pytest.raises(AudioError, match="not_audio"):
        library.similar(str(text), 3)


def test_a_title_that_ends_like_a_weight_is_a_title(tmp_path):
    titles = [f"Title {i}" for i in range(11)] + ["Exit:2"]
    library = Library(made_store(tmp_path, 12, columns={"title": titles}))
    assert library.similar("Exit:2", 3).seeds[0].track_id == "t11"
    assert library.similar("Exit:2:3", 3).neighbors == library.similar("t11", 3).neighbors


def test_an_index_from_before_still_answers():
    library = Library(Store(str(GOLDEN)))
    assert read_index_neighbors(library.store, library.index_ref) is None
    answer = library.similar("00000000000000aa", 3)
    assert [row["track_id"] for row in answer.neighbors] == ["00000000000000ab"]
    with pytest.raises(
        SearchError, match="does not hold the mean cosines that hub correction needs; build the index again"
    ):
        library.similar("00000000000000aa", 3, options=Options(hub_correction=True))
    with pytest.raises(SearchError, match="pass the filters, but none has an embedding"):
        library.similar("00000000000000aa", 3, options=Options(Filters(allow=["00000000000000ac"])))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_catalog_of_a_few_tracks(copies, tmp_path, n: int):
    """Neighbors of all, and an index of its own, where there are hardly any."""
    library, _ = copies
    store = Store(str(tmp_path / "store"))
    copy_datasets(library.store, store, "tracks", "model", "health", "rejects", "embeddings")
    table = store.read(library.embeddings_ref).slice(0, n)
    store.write_part("embeddings", "000000-few", table)
    old = store.manifest(library.embeddings_ref)
    parents = [old.parent(name) for name in old.parents]
    ref = store.commit("embeddings", ["000000-few"], recipe="few", config=old.config, parents=parents)
    few = Library(store, build_index(store, index_config(library), ref))
    answer = few.similar(table["track_id"][0].as_py(), 10, options=Options(hub_correction=True, keep_duplicates=True))
    assert len({row["track_id"] for row in answer.neighbors} & set(table["track_id"].to_pylist())) == n - 1


def index_config(library: Library) -> IndexConfig:
    return IndexConfig(**library.store.manifest(library.index_ref).config)


def test_nearest_others_of_identical_embeddings_leave_out_the_track_itself(copies):
    library, _ = copies
    table = make_table(np.eye(1, 128).repeat(30, 0))
    index = SearchIndex.build(table, index_config(library))
    scores, rows = nearest_others(index, table.embeddings, np.arange(30), table.rows_of(index.ids))
    assert rows.shape == (30, 10)
    assert np.allclose(scores, 1)
    assert (rows[:20] != np.arange(20)[:, None]).all()


def test_the_command(copies):
    library, twins = copies
    one, other = list(twins)[:2]
    run = CliRunner().invoke
    store = ["--store", library.store.root]
    result = run(app, ["similar", one, f"{other}:2", "-k", "3", "--max-per-artist", "1", "--json", *store])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["query"]["track_id"] == one
    assert [seed["track_id"] for seed in answer["seeds"]] == [one, other]
    assert [row["rank"] for row in answer["neighbors"]] == [1, 2, 3]
    shown = run(app, ["similar", one, "--minus", other, "--year", "1900:", "-k", "99", *store])
    assert shown.exit_code == 0
    assert "of 99: 24 recordings pass the filters" in shown.output
    for arguments, message in (
        (["--year", "x"], "--year 'x': wanted a number"),
        (["--duration", ":"], "wanted a number"),
    ):
        refused = run(app, ["similar", one, *arguments, *store])
        assert isinstance(refused.exception, SearchError)
        assert message in str(refused.exception)


def test_the_command_takes_files_of_track_ids(copies, tmp_path):
    library, twins = copies
    one, other, third = list(twins)[:3]
    listed = tmp_path / "allowed.txt"
    listed.write_text(f"{other}\n\n{third}\n")
    result = CliRunner().invoke(
        app, ["similar", one, "--allow", str(listed), "--deny", third, "--json", "--store", library.store.root]
    )
    assert [row["track_id"] for row in json.loads(result.stdout)["neighbors"]] == [other]


def test_the_neighborhood_belongs_to_its_index(copies):
    library, _ = copies
    names = {part.name.rsplit("/", 1)[1]: part.derived for part in library.store.manifest(library.index_ref).parts}
    assert names[FILE]
