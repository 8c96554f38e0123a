"""Retrieval against plain loops, and the artist and album filters on vectors that encode only those."""

import numpy as np
import pytest

from audioae.library.track_metadata import TrackMetadata, check_vectors, make_metadata
from audioae.metrics import retrieval
from audioae.metrics.metric import MetricSet
from audioae.metrics.retrieval import NEIGHBORS, measure, predictions

pytestmark = pytest.mark.filterwarnings("error")


def random_vectors(n: int, seed: int = 0, d: int = 16) -> np.ndarray:
    return check_vectors(np.random.default_rng(seed).standard_normal((n, d)), np.arange(n), "made")


def metadata_of(n: int, **columns) -> TrackMetadata:
    return make_metadata([f"t{i}" for i in range(n)], **columns)


def values(result: MetricSet) -> dict[str, float]:
    """Every metric by name, after checking that all values and intervals are finite and consistent."""
    for metric in result.metrics:
        if metric.interval is None:
            assert "too few" in str(metric.note), metric.key
            continue
        low, high = metric.interval
        assert np.isfinite([metric.value, low, high]).all(), metric.key
        assert metric.n > 0, metric.key
        assert low - 1e-9 <= metric.value <= high + 1e-9, metric.key
    found = {metric.key: metric.value for metric in result.metrics}
    assert len(found) == len(result.metrics)
    return found


def by_hand(vectors: np.ndarray, labels, filtered, k: int) -> tuple[list, list, list]:
    """Average precision, P@k and the vote of the 5 nearest, query by query; None without a relevant track."""
    average, precision, votes = [], [], []
    for query in range(len(labels)):
        others = [i for i in range(len(labels)) if i != query and (filtered[i] == "" or filtered[i] != filtered[query])]
        others.sort(key=lambda i: -float(vectors[query] @ vectors[i]))
        hits = [labels[i] == labels[query] for i in others]
        if not any(hits):
            for found in (average, precision, votes):
                found.append(None)
            continue
        shares = [sum(hits[: rank + 1]) / (rank + 1) for rank in range(len(hits)) if hits[rank]]
        average.append(sum(shares) / len(shares))
        precision.append(sum(hits[:k]) / k if len(others) >= k else None)
        tally: dict[str, float] = {}
        for i in others[:NEIGHBORS]:
            tally[labels[i]] = tally.get(labels[i], 0) + 1 + 1e-3 * float(vectors[query] @ vectors[i])
        votes.append(max(tally, key=lambda name: tally[name]) == labels[query])
    return average, precision, votes


def mean(found: list) -> float:
    return float(np.mean([value for value in found if value is not None]))


@pytest.mark.parametrize("k", [1, 4])
def test_equals_a_plain_loop(k, monkeypatch):
    monkeypatch.setattr(retrieval, "BLOCK", 7)
    rng = np.random.default_rng(1)
    labels = [*rng.choice(["rock", "jazz", "folk"], 40).tolist(), "alone"]
    artists = [*rng.choice(["x", "y", "z", ""], 40).tolist(), "x"]
    vectors = random_vectors(41)
    result = measure(vectors, metadata_of(41, labels=labels, artists=artists), k)
    found = values(result)
    for what, filtered in (("by label", [""] * 41), ("by label, other artists", artists)):
        average, precision, votes = by_hand(vectors, labels, filtered, k)
        assert found[f"mAP {what}"] == pytest.approx(mean(average))
        assert found[f"P@{k} {what}"] == pytest.approx(mean(precision))
        assert found[f"kNN {what}"] == pytest.approx(mean(votes))
        assert f"retrieval {what}: 1 of 41 queries have no relevant track" in result.omitted


def test_perfect_vectors_score_1_and_random_vectors_score_at_chance():
    labels = [f"l{i % 4}" for i in range(80)]
    perfect = check_vectors(np.eye(4)[np.arange(80) % 4] + 0.01 * random_vectors(80, 3, 4), np.arange(80), "made")
    assert set(values(measure(perfect, metadata_of(80, labels=labels))).values()) == {1.0}
    at_chance = values(measure(random_vectors(80, 4), metadata_of(80, labels=labels)))
    assert all(0.15 < value < 0.4 for value in at_chance.values())


def test_artist_filter_exposes_vectors_that_only_encode_the_artist():
    """40 artists with 3 tracks each, 4 labels with 10 artists each: without the artist, chance is 1 in 4."""
    artists = np.repeat(np.arange(40), 3)
    centers = np.random.default_rng(5).standard_normal((40, 32))
    vectors = check_vectors(centers[artists] + 0.1 * random_vectors(120, 6, 32), np.arange(120), "made")
    metadata = metadata_of(120, labels=[f"l{a % 4}" for a in artists], artists=[f"a{a}" for a in artists])
    found = values(measure(vectors, metadata, k=2))
    assert found["P@2 by label"] == 1.0
    assert found["P@2 by artist"] == 1.0
    for name in ("P@2", "kNN", "mAP"):
        assert 0.12 < found[f"{name} by label, other artists"] < 0.38, name


def test_album_filter_exposes_vectors_that_only_encode_the_album():
    """10 artists with 4 albums each, 3 tracks per album."""
    albums = np.repeat(np.arange(40), 3)
    centers = np.random.default_rng(7).standard_normal((40, 32))
    vectors = check_vectors(centers[albums] + 0.1 * random_vectors(120, 8, 32), np.arange(120), "made")
    metadata = metadata_of(120, artists=[f"a{a % 10}" for a in albums], albums=[f"b{a}" for a in albums])
    result = measure(vectors, metadata, k=2)
    found = values(result)
    assert found["P@2 by artist"] == found["P@2 by album"] == 1.0
    assert found["P@2 by artist, other albums"] < 0.25
    assert result.omitted == ("retrieval by label: known labels: 0, at least 2 are needed",)


def test_ignores_tracks_without_a_label():
    labels = ["a", "b"] * 15
    vectors = random_vectors(40, 9)
    some = measure(vectors, metadata_of(40, labels=[*labels, *[None] * 10]))
    only = measure(vectors[:30], metadata_of(30, labels=labels))
    assert values(some) == pytest.approx(values(only))
    assert {metric.n for metric in some.metrics} == {30}
    assert all(len(metric.columns) == 40 for metric in some.metrics)


def test_reports_too_few_labels_artists_and_albums():
    nothing = measure(random_vectors(20), metadata_of(20))
    assert nothing.metrics == ()
    assert nothing.omitted == tuple(
        f"retrieval by {name}: known {name}s: 0, at least 2 are needed" for name in ("label", "artist", "album")
    )
    one = measure(random_vectors(20), metadata_of(20, labels=["rock"] * 20))
    assert one.metrics == ()
    assert "retrieval by label: known labels: 1, at least 2 are needed" in one.omitted


def test_excludes_labels_with_a_single_track():
    result = measure(random_vectors(12), metadata_of(12, labels=[f"l{i}" for i in range(12)]))
    assert result.metrics == ()
    assert "retrieval by label: 0 of 12 queries have a relevant track" in result.omitted
    mixed = measure(random_vectors(12), metadata_of(12, labels=["a"] * 5 + ["b"] * 5 + ["c", "d"]), k=3)
    assert {metric.n for metric in mixed.metrics} == {10}
    values(mixed)
    assert "retrieval by label: 2 of 12 queries have no relevant track" in mixed.omitted


def test_dominant_label_gives_a_finite_interval():
    for rare in (1, 2, 3):
        labels = ["a"] * (60 - rare) + ["b"] * rare
        for artists in (None, [f"x{i // 3}" for i in range(60)], ["x"] * 60):
            values(measure(random_vectors(60), metadata_of(60, labels=labels, artists=artists)))


def test_labels_with_one_artist_each_have_no_filtered_metrics():
    labels = ["a"] * 20 + ["b"] * 20
    result = measure(random_vectors(40), metadata_of(40, labels=labels, artists=["x"] * 20 + ["y"] * 20))
    assert not any("other artists" in name for name in values(result))
    assert "retrieval by label, other artists: 0 of 40 queries have a relevant track" in result.omitted


def test_fewer_tracks_than_k_omit_only_the_precision():
    result = measure(random_vectors(10), metadata_of(10, labels=["a", "b"] * 5), k=10)
    assert set(values(result)) == {"mAP by label", "kNN by label"}
    assert "P@10 by label: 10 of 10 queries have fewer than 10 tracks to rank" in result.omitted
    assert "P@9 by label" in values(measure(random_vectors(10), metadata_of(10, labels=["a", "b"] * 5), k=9))


def test_filter_that_leaves_fewer_than_k_to_rank_does_not_lower_precision():
    """Perfect vectors; 34 tracks by one artist and 6 by others, so those 34 queries rank only 6 tracks."""
    labels = ["a", "b"] * 20
    perfect = check_vectors(np.eye(2)[np.arange(40) % 2] + 0.01 * random_vectors(40, 3, 2), np.arange(40), "made")
    result = measure(perfect, metadata_of(40, labels=labels, artists=["x"] * 34 + [*"uvwyz"] + ["q"]), k=10)
    assert not any(name.startswith("P@10 by label, other") for name in values(result))
    assert "P@10 by label, other artists: 34 of 40 queries have fewer than 10 tracks to rank" in result.omitted
    assert values(result)["mAP by label, other artists"] == 1.0


def test_two_tracks_with_different_labels_have_no_metrics():
    assert measure(random_vectors(2), metadata_of(2, labels=["a", "b"])).metrics == ()


def test_vote_counts_only_the_nearest_allowed_tracks():
    scores = np.array(
        [
            [-np.inf, 0.9, 0.8, 0.1],
            [0.9, -np.inf, 0.2, 0.1],
            [0.1, 0.2, -np.inf, 0.9],
            [-np.inf, -np.inf, 0.3, -np.inf],
        ]
    )
    labels = np.array(["a", "b", "b", "c"], dtype=object)
    assert predictions(scores, labels, neighbors=1).tolist() == ["b", "a", "c", "b"]
    assert predictions(scores, labels, neighbors=2)[0] == "b"
    assert predictions(scores, labels)[3] == "b", "only one track is allowed"
    assert predictions(scores, labels).shape == (4,), "fewer tracks than neighbors"
