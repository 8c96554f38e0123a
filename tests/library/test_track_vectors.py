"""What is evaluated, from a store and from files; and every file that cannot be."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from audioae.errors import EvaluationError, SearchError, StoreError
from audioae.library.track_metadata import Target, make_metadata
from audioae.library.track_vectors import TrackVectors, take, vectors_from_store, with_targets
from audioae.library.truth import read_truth
from audioae.library.vector_files import vectors_from_file
from audioae.metrics import hubness, probes, retrieval
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import EMBEDDINGS, TRACKS

pytestmark = pytest.mark.filterwarnings("error")
N = 12
IDS = [f"{i:03}" for i in range(N)]  # as numbers they would lose their zeros
VECTORS = np.random.default_rng(0).standard_normal((N, 128)).astype(np.float32)
UNIT = (VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)).astype(np.float32)


def columns(**changed) -> dict:
    """Columns of a good file, with some changed; None takes one away."""
    good = {
        "track_id": IDS,
        "embedding": VECTORS.tolist(),
        "label": ["rock", "jazz"] * 6,
        "artist": [*[f"x{i // 2}" for i in range(N - 1)], None],
        "title": [f"Song {i}" for i in range(N - 1)] + [None],
        "model": ["vqvae"] * N,
    }
    return {name: values for name, values in {**good, **changed}.items() if values is not None}


def parquet(folder: Path, name: str = "vectors.parquet", **changed) -> str:
    pq.write_table(pa.table(columns(**changed)), folder / name)
    return str(folder / name)


def npz(folder: Path, **arrays) -> str:
    np.savez(folder / "vectors.npz", **arrays)
    return str(folder / "vectors.npz")


def csv(folder: Path, text: str) -> str:
    (folder / "truth.csv").write_text(text)
    return str(folder / "truth.csv")


def publish(
    root: Path, vectors: np.ndarray = UNIT, *, ids: list[str] = IDS, cataloged: list[str] = IDS
) -> tuple[Store, DatasetRef]:
    """A store of a catalog and its embeddings; the catalog in reverse, as nothing says that it is sorted."""
    store = Store(str(root / "store"))
    rows = [
        {
            "track_id": track_id,
            "uri": str(root / "audio" / f"{track_id}.wav"),
            "title": None if i == 0 else f"Song {i}",
            "artist": f"x{i // 2}",
            "album": None,
            "label": ["rock", "jazz"][i % 2],
            "split": str(i % 3),
            "shard": 0,
            "added_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
        for i, track_id in enumerate(cataloged)
    ]
    store.write_part("tracks", "t", pa.Table.from_pylist(rows[::-1], schema=TRACKS))
    tracks = store.commit("tracks", ["t"], recipe="t", config={})
    made = [
        {"track_id": i, "embedding": v, "n_clips": 1, "padded": False, "reconstruction_error": 0.1, "spread": 0.1}
        for i, v in zip(ids, vectors.tolist(), strict=True)
    ]
    store.write_part("embeddings", "e", pa.Table.from_pylist(made[::-1], schema=EMBEDDINGS))
    parents = [tracks, DatasetRef("model", "abc")]
    return store, store.commit("embeddings", ["e"], recipe="e", config={}, parents=parents)


@pytest.fixture
def subject(tmp_path: Path) -> TrackVectors:
    return vectors_from_store(*publish(tmp_path), max_tracks=100)


def test_a_store_gives_vectors_with_what_its_catalog_says(tmp_path, subject):
    assert subject.name.startswith("embeddings@")
    assert subject.metadata.ids.tolist() == IDS
    assert subject.vectors == pytest.approx(UNIT, abs=1e-6)
    assert subject.vectors.dtype == np.float32
    assert subject.metadata.labels.tolist() == ["rock", "jazz"] * 6
    assert subject.metadata.artists.tolist() == [f"x{i // 2}" for i in range(N)]
    assert subject.metadata.albums.tolist() == [""] * N
    assert subject.metadata.folds.tolist() == [str(i % 3) for i in range(N)]
    assert list(subject.titles[:2]) == ["000", "Song 1"], "a track without a title goes by its file"
    assert list(subject.uris) == [str(tmp_path / "audio" / f"{i}.wav") for i in IDS]
    assert subject.omitted == ()


def test_of_a_large_store_tracks_are_taken_evenly_and_it_is_said(tmp_path):
    some = vectors_from_store(*publish(tmp_path), max_tracks=5)
    assert some.metadata.ids.tolist() == ["000", "002", "004", "007", "009"]
    assert some.vectors == pytest.approx(UNIT[[0, 2, 4, 7, 9]], abs=1e-6)
    assert some.metadata.labels.tolist() == ["rock", "rock", "rock", "jazz", "jazz"]
    assert some.omitted == ("evaluated on 5 of 12 tracks, evenly taken",)


def test_a_store_whose_catalog_does_not_fit_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match=r"2 tracks are not in its catalog: \['010', '011'\]; run again"):
        vectors_from_store(*publish(tmp_path, cataloged=IDS[:10]), max_tracks=100)
    with pytest.raises(EvaluationError, match="got 1 tracks with an embedding, wanted at least 2"):
        vectors_from_store(*publish(tmp_path / "one", UNIT[:1], ids=IDS[:1]), max_tracks=100)
    store, _ = publish(tmp_path / "none")
    with pytest.raises(StoreError, match="no version embeddings@nothing"):
        vectors_from_store(store, DatasetRef("embeddings", "nothing"), max_tracks=100)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_a_store_with_bad_vectors_is_refused(tmp_path, bad):
    vectors = UNIT.copy()
    vectors[3] = bad
    with pytest.raises(SearchError, match=r"embeddings (with NaN or infinity|of norm 0 to 0, wanted 1): '?003"):
        vectors_from_store(*publish(tmp_path, vectors), max_tracks=100)


def test_a_parquet_file_gives_vectors_and_facts(tmp_path):
    subject = vectors_from_file(parquet(tmp_path, split=["train", "test"] * 6), max_tracks=100)
    assert subject.name == "vectors.parquet"
    assert subject.metadata.ids.tolist() == IDS
    assert subject.vectors == pytest.approx(UNIT, abs=1e-6)
    assert subject.metadata.labels.tolist() == ["rock", "jazz"] * 6
    assert subject.metadata.artists.tolist() == [*[f"x{i // 2}" for i in range(N - 1)], ""]
    assert subject.metadata.folds.tolist() == ["train", "test"] * 6
    assert list(subject.titles) == [*[f"Song {i}" for i in range(N - 1)], "011"]
    assert (list(subject.uris), subject.omitted) == ([], ())


def test_an_npz_file_gives_the_same_by_its_other_names(tmp_path):
    arrays = {"id": np.array(IDS), "vector": VECTORS, "label": np.array(["rock", "jazz"] * 6), "fold": np.arange(N) % 2}
    subject = vectors_from_file(npz(tmp_path, **arrays), max_tracks=100)
    assert subject.metadata.ids.tolist() == IDS
    assert subject.vectors == pytest.approx(UNIT, abs=1e-6)
    assert subject.metadata.folds.tolist() == ["0", "1"] * 6
    assert subject.metadata.artists.tolist() == [""] * N
    assert list(subject.titles) == IDS


def test_of_a_large_file_rows_are_taken_evenly_and_it_is_said(tmp_path):
    some = vectors_from_file(parquet(tmp_path), max_tracks=4)
    assert some.metadata.ids.tolist() == ["000", "003", "006", "009"]
    assert some.vectors == pytest.approx(UNIT[[0, 3, 6, 9]], abs=1e-6)
    assert list(some.titles) == ["Song 0", "Song 3", "Song 6", "Song 9"]
    assert some.omitted == ("evaluated on 4 of 12 tracks, evenly taken",)


def test_ids_and_vectors_are_enough_and_what_they_do_not_allow_is_said(tmp_path):
    only = dict.fromkeys(("label", "artist", "title", "model"))
    subject = vectors_from_file(parquet(tmp_path, name="bare.parquet", **only), max_tracks=100)
    answer = sum(
        (ask(subject.vectors, subject.metadata) for ask in (probes.measure, hubness.measure)),
        retrieval.measure(subject.vectors, subject.metadata),
    )
    assert {metric.key for metric in answer.metrics} == {"skewness of 10-occurrence", "never in a top 10"}
    assert len(answer.omitted) == 4


def holed(value: float) -> list:
    vectors = VECTORS.copy()
    vectors[2:4] = value
    return vectors.tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"embedding": holed(np.nan)}, "2 vectors hold NaN or infinity: 002, 003; leave them out"),
        ({"embedding": holed(np.inf)}, "2 vectors hold NaN or infinity: 002, 003"),
        ({"embedding": holed(0.0)}, "2 vectors are all zeros: 002, 003"),
        ({"embedding": [*VECTORS[:11].tolist(), [1.0, 2.0]]}, "vectors differ in length or are no numbers"),
        ({"embedding": [*VECTORS[:11].tolist(), None]}, "vectors differ in length or are no numbers"),
        ({"embedding": ["rock"] * N}, "vectors differ in length or are no numbers"),
        ({"embedding": np.arange(N) + 1.0}, r"got vectors of shape \(12,\) for 12 tracks"),
        ({"embedding": [None] * N}, r"got vectors of shape \(12,\) for 12 tracks"),
        ({"embedding": [[]] * N}, r"got vectors of shape \(12, 0\) for 12 tracks"),
        ({"track_id": ["000", "000", *IDS[2:]]}, "more than once: 000; each track needs one"),
        ({"model": ["old", "new"] * 6}, "vectors of 2 models are mixed: new, old; take one"),
        ({"embedding": None}, "got columns track_id, label, artist, title, model; wanted also vector"),
        ({"track_id": None, "embedding": None}, "wanted also id, vector"),
        ({name: [] for name in columns()}, "got 0 tracks with an embedding"),
        ({name: values[:1] for name, values in columns().items()}, "got 1 tracks with an embedding"),
    ],
)
def test_a_bad_file_of_vectors_is_refused_with_its_reason(tmp_path, changed, message):
    with pytest.raises(EvaluationError, match=message):
        vectors_from_file(parquet(tmp_path, **changed), max_tracks=100)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"vector": VECTORS[:7]}, "got 7 of vector for 12 IDs, wanted one each"),
        ({"label": np.array(["rock"] * 5)}, "got 5 of label for 12 IDs"),
        ({"label": np.array(["rock"] * 20)}, "got 20 of label for 12 IDs"),
        ({"vector": np.float32(3)}, "got 1 of vector for 12 IDs"),
        ({"id": np.array("000")}, "got 12 of vector for 1 IDs"),
        ({"id": np.array(IDS, dtype=object)}, "string arrays need a str dtype"),
    ],
)
def test_a_ragged_npz_is_refused_with_its_reason(tmp_path, changed, message):
    with pytest.raises(EvaluationError, match=message):
        vectors_from_file(npz(tmp_path, **{"id": np.array(IDS), "vector": VECTORS, **changed}), max_tracks=100)


@pytest.mark.parametrize("name", ["vectors.npz", "vectors.NPZ", "vectors.parquet", "vectors.csv", "vectors"])
def test_an_unreadable_file_is_refused_by_name(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(EvaluationError, match=f"{name}: .*No such file"):
        vectors_from_file(str(path), max_tracks=100)
    (tmp_path / "whole").mkdir()
    whole = Path(npz(tmp_path / "whole", id=np.array(IDS), vector=VECTORS)).read_bytes()
    for content in (b"", b"\x80\x02garbage" * 50, whole[: len(whole) // 2], b"PAR1" + b"\0" * 100 + b"PAR1"):
        path.write_bytes(content)
        with pytest.raises(EvaluationError, match=f"{name}: (cannot be read|not a readable .npz|got columns)"):
            vectors_from_file(str(path), max_tracks=100)


def test_one_array_is_no_npz(tmp_path):
    with (tmp_path / "vectors.npz").open("wb") as file:
        np.save(file, VECTORS)
    with pytest.raises(EvaluationError, match=r"not a readable \.npz"):
        vectors_from_file(str(tmp_path / "vectors.npz"), max_tracks=100)


def test_rows_are_taken_with_all_that_belongs_to_them(subject):
    rows = np.array([7, 0, 3])
    some = take(with_targets(subject, {"tempo": Target(np.arange(N) * 10.0, "truth.csv")}), rows)
    assert some.metadata.ids.tolist() == ["007", "000", "003"]
    assert some.vectors.tolist() == subject.vectors[rows].tolist()
    assert some.metadata.labels.tolist() == ["jazz", "rock", "jazz"]
    assert some.metadata.folds.tolist() == ["1", "0", "0"]
    assert some.metadata.targets["tempo"].values.tolist() == [70.0, 0.0, 30.0]
    assert some.metadata.targets["tempo"].source == "truth.csv"
    assert list(some.titles) == ["Song 7", "000", "Song 3"]
    assert [Path(uri).stem for uri in some.uris] == ["007", "000", "003"]
    assert some.name == subject.name
    without = take(TrackVectors("x", UNIT, make_metadata(IDS), IDS), rows)
    assert (len(without.uris), list(without.titles)) == (0, ["007", "000", "003"])
    with pytest.raises(EvaluationError, match="got 1 tracks"):
        take(subject, rows[:1])


def test_targets_are_added_to_those_there_are(subject):
    tempo, energy = Target(np.arange(N) * 1.0, "a"), Target(np.arange(N) * 2.0, "b")
    both = with_targets(with_targets(subject, {"tempo": tempo}), {"energy": energy})
    assert both.metadata.targets == {"tempo": tempo, "energy": energy}
    assert subject.metadata.targets == {}
    with pytest.raises(EvaluationError, match="tempo: got 3 values for 12 tracks"):
        with_targets(subject, {"tempo": Target(np.zeros(3), "a")})


def test_truth_by_track_id_gives_the_numbers_that_are_no_catalog(tmp_path, subject):
    rows = [f"{i},{100 + int(i)},{'' if i == '004' else int(i) / 10},2005,rock,3,major" for i in IDS[::-1]]
    path = csv(tmp_path, "\n".join(["track_id,tempo,energy,year,label,fold,mode", *rows]))
    targets, omitted = read_truth(path, subject)
    assert set(targets) == {"tempo", "energy"}
    assert targets["tempo"].values.tolist() == [100.0 + i for i in range(N)]
    assert targets["tempo"].source == "truth.csv"
    wanted = np.arange(N) / 10
    wanted[4] = np.nan
    assert targets["energy"].values == pytest.approx(wanted, nan_ok=True)
    assert omitted == ()


def test_truth_in_parquet_is_read_alike(tmp_path, subject):
    table = pa.table({"track_id": IDS, "tempo": pa.array([*range(N - 1), None], pa.int32())})
    pq.write_table(table, tmp_path / "truth.parquet")
    targets, omitted = read_truth(str(tmp_path / "truth.parquet"), subject)
    assert targets["tempo"].values == pytest.approx(np.array([*range(N - 1), np.nan]), nan_ok=True)
    assert omitted == ()


def test_truth_by_path_is_relative_to_its_folder(tmp_path, subject):
    (tmp_path / "audio").mkdir()
    rows = [f"audio/{i}.wav,{int(i)}" for i in IDS[:-1]] + [f"other/../audio/{IDS[-1]}.wav,11"]
    targets, omitted = read_truth(csv(tmp_path, "\n".join(["path,tempo", *rows])), subject)
    assert targets["tempo"].values.tolist() == list(range(N))
    assert omitted == ()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(EvaluationError, match=r"none of its 12 rows names .* such as .*elsewhere"):
        read_truth(csv(elsewhere, "\n".join(["path,tempo", *rows])), subject)


def test_truth_of_other_tracks_is_said_on_both_sides(tmp_path, subject):
    path = csv(tmp_path, "track_id,tempo\n000,1\n001,2\nghost,3\nphantom,4\nghost,5\n")
    targets, omitted = read_truth(path, subject)
    assert targets["tempo"].values[:2].tolist() == [1.0, 2.0]
    assert np.isnan(targets["tempo"].values[2:]).all()
    assert omitted == (
        "3 of 5 rows of truth.csv name no evaluated track",
        "10 of 12 tracks are not in truth.csv",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("track_id,tempo\nghost,1\nphantom,2\n", "none of its 2 rows names an evaluated track, such as ghost"),
        ("track_id,tempo\n", "none of its 0 rows names an evaluated track$"),
        ("path,tempo\n", "none of its 0 rows names an evaluated track$"),
        ("name,tempo\n000,1\n", "got columns name, tempo; wanted track_id or path among them"),
        ("track_id,tempo\n000,1\n001,2\n000,3\n", "1 tracks stand more than once, such as 000; keep one row each"),
        ("", "truth.csv: cannot be read"),
        ("track_id,tempo\n000,1,2\n", "truth.csv: cannot be read"),
    ],
)
def test_bad_truth_is_refused_with_its_reason(tmp_path, subject, text, message):
    with pytest.raises(EvaluationError, match=message):
        read_truth(csv(tmp_path, text), subject)


def test_truth_that_is_not_there_is_refused(tmp_path, subject):
    for name in ("truth.csv", "truth.parquet"):
        with pytest.raises(EvaluationError, match=f"{name}: cannot be read"):
            read_truth(str(tmp_path / name), subject)


def test_truth_by_path_needs_vectors_that_have_one(tmp_path):
    with pytest.raises(EvaluationError, match="none of its 1 rows names an evaluated track"):
        read_truth(csv(tmp_path, "path,tempo\n000.wav,1\n"), vectors_from_file(parquet(tmp_path), max_tracks=100))


def test_a_synthesized_catalog_is_its_own_truth(tiny_audio, tmp_path):
    """The truth that is written beside a synthesized catalog, over uris as a catalog has them."""
    truth = pacsv.read_csv(tiny_audio / "truth.csv")
    uris = [str(tiny_audio / path) for path in truth["path"].to_pylist()]
    n = len(uris)
    vectors = np.random.default_rng(1).standard_normal((n, 8)).astype(np.float32)
    made = TrackVectors("made", vectors, make_metadata([f"t{i}" for i in range(n)]), uris, uris)
    targets, omitted = read_truth(str(tiny_audio / "truth.csv"), made)
    assert set(targets) == {"tempo_bpm", "energy", "instrumentalness"}
    assert targets["tempo_bpm"].values == pytest.approx(truth["tempo_bpm"].to_numpy())
    assert omitted == ()
