"""Two versions of a store's embeddings: known changes give known answers, and sentences say what the numbers do."""

import json

import numpy as np
import pytest

import audioae
from audioae.errors import EvaluationError
from audioae.evaluation.compare_versions import K, VersionComparison, compare_versions
from audioae.pipeline.embeddings import read_embeddings
from audioae.store.manifest import DatasetRef
from tests.evaluation.versions import N_STYLES, N, commit_map, retrain, styled_store, unit


@pytest.fixture
def store_and_first(tmp_path):
    return styled_store(tmp_path / "store")


def rotated(vectors: np.ndarray) -> np.ndarray:
    return vectors @ np.linalg.qr(np.random.default_rng(1).standard_normal((128, 128)))[0]


def shuffled_artist(vectors: np.ndarray) -> np.ndarray:
    """The tracks of artists 2, 6 and 10, all of style 2, get each other's vectors."""
    rows = np.flatnonzero(np.isin(np.arange(len(vectors)) % 20, (2, 6, 10)))
    changed = vectors.copy()
    changed[rows] = vectors[np.roll(rows, 5)]
    return changed


def noisy(vectors: np.ndarray, amount: float = 0.08) -> np.ndarray:
    return vectors + amount * np.random.default_rng(2).standard_normal(vectors.shape)


def by_name(rows: list[dict]) -> dict[str, dict]:
    return {row["name"]: row for row in rows}


def brute_force(store, a: DatasetRef, b: DatasetRef) -> dict[str, float]:
    """overlap@K of each track that both have."""
    tables = [read_embeddings(store, ref) for ref in (a, b)]
    shared = sorted(set(tables[0].track_ids.to_pylist()) & set(tables[1].track_ids.to_pylist()))
    lists = []
    for table in tables:
        vectors = table.embeddings[table.rows_of(shared)].astype(np.float64)
        scores = vectors @ vectors.T
        np.fill_diagonal(scores, -np.inf)
        lists.append(np.argsort(-scores, axis=1)[:, :K])
    return {track: len(set(one) & set(other)) / K for track, one, other in zip(shared, *lists, strict=True)}


def test_a_rotated_version_keeps_everything(store_and_first):
    store, a = store_and_first
    result = compare_versions(store, a, retrain(store, rotated))
    assert result.overlap.tolist() == [1] * N
    assert result["aligned"]["cosine"] == pytest.approx(1, abs=1e-5)
    assert result["aligned"]["residual"] == pytest.approx(0, abs=1e-5)
    overlap = result["overlap"]
    assert (overlap["mean"], overlap["high"], overlap["chance"]) == (1, 1, K / (N - 1))
    assert 0.9 < overlap["low"] < 1
    assert overlap["histogram"] == [0] * K + [N]
    assert (result["hubs"]["gained"], result["hubs"]["lost"]) == ([], [])
    assert "Every track keeps its 10 nearest neighbors." in result["sentences"]
    assert not [text for text in result["sentences"] if "changed more" in text or "less often" in text]


def test_a_shuffled_artist_changes_its_label_and_region_and_no_other(store_and_first):
    store, a = store_and_first
    b = retrain(store, shuffled_artist)
    regions = np.arange(N) % N_STYLES
    commit_map(
        store, np.zeros((N, 2)), np.where(regions == 3, -1, regions * 10).tolist(), {0: "zero", 10: "one", 20: "two"}
    )
    result = compare_versions(store, a, b)
    labels = by_name(result["labels"])
    assert [labels[f"style {i}"]["overlap"] for i in (0, 1, 3)] == [1, 1, 1]
    assert labels["style 2"]["overlap"] < 0.8
    assert [row["name"] for row in result["regions"]] == ["two", "zero", "one"]  # the one that changed most first
    assert by_name(result["regions"])["two"]["overlap"] == labels["style 2"]["overlap"]
    assert by_name(result["regions"])["zero"] | {"name": ""} == labels["style 0"] | {"name": ""}
    assert {track["label"] for track in result["changed"]} == {"style 2"}
    said = [text for text in result["sentences"] if "changed more than the catalog" in text]
    assert said[0].startswith("1 label changed more than the catalog: 'style 2' keeps ")
    assert said[1].startswith("1 region changed more than the catalog: 'two' keeps ")


def test_overlap_of_each_track_is_that_of_brute_force(store_and_first):
    store, a = store_and_first
    b = retrain(store, noisy, leave_out=[3, 7, 8])
    result = compare_versions(store, a, b)
    wanted = brute_force(store, a, b)
    assert dict(zip(result.track_ids.to_pylist(), result.overlap.tolist(), strict=True)) == pytest.approx(wanted)
    assert (result["shared"], result["a"]["tracks"], result["b"]["tracks"]) == (N - 3, N, N - 3)
    assert f"{N - 3} tracks are in both versions; 3 only in {a}, 0 only in {b}." in result["sentences"]
    assert 0.2 < result["overlap"]["mean"] < 0.95
    assert result["overlap"]["low"] < result["overlap"]["mean"] < result["overlap"]["high"]


def test_the_other_direction_gives_the_same_overlap(store_and_first):
    store, a = store_and_first
    b = retrain(store, noisy, leave_out=[3])
    one, other = compare_versions(store, a, b), compare_versions(store, b, a)
    assert one["overlap"]["mean"] == pytest.approx(other["overlap"]["mean"])
    assert one["hubs"]["n_gained"] == other["hubs"]["n_lost"]


def test_tracks_that_changed_most_have_their_old_and_new_neighbors(store_and_first):
    store, a = store_and_first
    b = retrain(store, noisy)
    result = compare_versions(store, a, b, top=3)
    first = result["changed"][0]
    assert len(result["changed"]) == 3
    assert first["overlap"] == min(brute_force(store, a, b).values())
    library = audioae.open(store.root, index=str(store.require("index")))
    after = [neighbor.track_id for neighbor in library.similar(first["track_id"], K).neighbors]
    assert [neighbor["track_id"] for neighbor in first["after"]] == after
    kept = {neighbor["track_id"] for neighbor in first["before"]} & set(after)
    for side in ("before", "after"):
        assert {neighbor["track_id"] for neighbor in first[side] if neighbor["kept"]} == kept
    assert first["overlap"] == pytest.approx(len(kept) / K)


def test_labels_that_were_mixed_up_lose_their_neighbors(store_and_first):
    store, a = store_and_first

    def mixed(vectors: np.ndarray) -> np.ndarray:
        """Styles 0 and 1 become one."""
        changed = vectors.copy()
        rows = np.arange(len(vectors)) % N_STYLES < 2
        changed[rows] = unit(np.random.default_rng(3).standard_normal((rows.sum(), 128)) + 12 * np.eye(1, 128))
        return changed

    result = compare_versions(store, a, retrain(store, mixed))
    labels = by_name(result["labels"])
    assert labels["style 0"]["same_a"] == 1
    assert labels["style 0"]["same_b"] == pytest.approx(0.5, abs=0.15)
    assert labels["style 2"]["same_b"] == 1
    assert result["same_label"]["difference"] == pytest.approx(result["same_label"]["b"] - 1)
    assert [text for text in result["sentences"] if text.startswith("Neighbors share a track's label less often")]
    assert [text for text in result["sentences"] if text.startswith("Same-label neighbors became fewer in 2 labels")]


def test_a_hub_that_a_retrain_made_is_named(store_and_first):
    store, a = store_and_first

    def with_hub(vectors: np.ndarray) -> np.ndarray:
        """Tracks are noise, with some of track 17 in each: it is nearest to all of them."""
        changed = unit(np.random.default_rng(6).standard_normal(vectors.shape)) + vectors[17]
        changed[17] = vectors[17]
        return changed

    result = compare_versions(store, a, retrain(store, with_hub))
    assert result["hubs"]["gained"][0]["track_id"] == "t17"
    assert result["hubs"]["gained"][0]["after"] == N - 1
    assert result["hubs"]["gained"][0]["before"] < result["hubs"]["threshold"] == 30
    assert result["hubs"]["never_a"] is not None


def test_a_sample_is_stated_and_its_neighbors_are_exact(store_and_first):
    store, a = store_and_first
    b = retrain(store, noisy)
    result = compare_versions(store, a, b, max_tracks=40)
    wanted = brute_force(store, a, b)
    assert (len(result.overlap), result["measured"], result["shared"]) == (40, 40, N)
    for track, share in zip(result.track_ids.to_pylist(), result.overlap.tolist(), strict=True):
        assert share == pytest.approx(wanted[track])
    said = f"Measured on a random sample of 40 tracks; their neighbors are exact, among all {N}."
    assert said in result["sentences"]
    assert result["hubs"]["never_a"] is None


def test_indexes_are_compared_by_their_embeddings(store_and_first):
    store, a = store_and_first
    indexes = [store.require("index")]
    b = retrain(store, noisy)
    indexes.append(store.require("index"))
    result, direct = compare_versions(store, *indexes), compare_versions(store, a, b)
    assert (result["a"]["ref"], result["a"]["embeddings"]) == (str(indexes[0]), str(a))
    assert np.array_equal(result.overlap, direct.overlap)


def test_the_same_embeddings_are_said_to_be_the_same(store_and_first):
    store, a = store_and_first
    result = compare_versions(store, a, store.require("index"))
    assert result["sentences"][0].endswith(f"have the same embeddings, {a}: there is nothing to compare.")


def test_the_document_is_json(store_and_first):
    store, a = store_and_first
    result = compare_versions(store, a, retrain(store, noisy))
    assert json.loads(json.dumps(result.document, allow_nan=False)) == result.document


def test_a_library_compares_with_its_own_version_by_default(store_and_first):
    store, a = store_and_first
    b = retrain(store, noisy)
    result = audioae.open(store.root).compare_versions(str(a))
    assert isinstance(result, VersionComparison)
    assert (result["a"]["embeddings"], result["b"]["embeddings"]) == (str(a), str(b))


@pytest.mark.parametrize(
    ("n", "dataset", "message"), [(11, "embeddings", "share 11 tracks"), (12, "tracks", "wanted a version of")]
)
def test_what_cannot_be_compared_says_why(tmp_path, n: int, dataset: str, message: str):
    store, a = styled_store(tmp_path / "store", n)
    with pytest.raises(EvaluationError, match=message):
        compare_versions(store, a, store.require(dataset))
