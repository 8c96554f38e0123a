"""Retrieval against plain loops, the filters against models that only hear what they filter."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from audioae.library.track_metadata import TrackMetadata, check_vectors, make_metadata
from audioae.metrics import retrieval
from audioae.metrics.metric import MetricSet
from audioae.metrics.retrieval import NEIGHBORS, measure, predictions

pytestmark = pytest.mark.filterwarnings("error")


def spread(n: int, seed: int = 0, d: int = 16) -> np.ndarray:
    return check_vectors(np.random.default_rng(seed).standard_normal((n, d)), np.arange(n), "made")


def facts_of(n: int, **columns) -> TrackMetadata:
    return make_metadata([f"t{i}" for i in range(n)], **columns)


def values(answer: MetricSet) -> dict[str, float]:
    """Every metric by name, after a look that none is made up."""
    for metric in answer.metrics:
        low, high = metric.interval
        assert np.isfinite([metric.value, low, high]).all(), metric.key
        assert metric.n > 0, metric.key
        assert low - 1e-9 <= metric.value <= high + 1e-9, metric.key
    found = {metric.key: metric.value for metric in answer.metrics}
    assert len(found) == len(answer.metrics)
    return found


def by_hand(vectors: np.ndarray, labels, filtered, k: int) -> tuple[list, list, list]:
    """Average precision, P@k and the 5 nearest's vote of each query, one at a time; None without anything to find."""
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
def test_figures_are_those_of_a_plain_loop(k, monkeypatch):
    monkeypatch.setattr(retrieval, "BLOCK", 7)
    rng = np.random.default_rng(1)
    labels = [*rng.choice(["rock", "jazz", "folk"], 40).tolist(), "alone"]
    artists = [*rng.choice(["x", "y", "z", ""], 40).tolist(), "x"]
    vectors = spread(41)
    answer = measure(vectors, facts_of(41, labels=labels, artists=artists), k)
    found = values(answer)
    for what, filtered in (("by label", [""] * 41), ("by label, other artists", artists)):
        average, precision, votes = by_hand(vectors, labels, filtered, k)
        assert found[f"mAP {what}"] == pytest.approx(mean(average))
        assert found[f"P@{k} {what}"] == pytest.approx(mean(precision))
        assert found[f"kNN {what}"] == pytest.approx(mean(votes))
        assert f"1 of 41 queries {what}: no other track to be found" in answer.omitted


def test_average_precision_is_that_of_sklearn():
    labels = np.random.default_rng(2).choice(["a", "b", "c", "d"], 50)
    vectors = spread(50, 2)
    wanted = []
    for i in range(50):
        others = np.arange(50) != i
        wanted.append(average_precision_score(labels[others] == labels[i], vectors[others] @ vectors[i]))
    metric = next(m for m in measure(vectors, facts_of(50, labels=labels)).metrics if m.key == "mAP by label")
    assert metric.columns[:, 0] == pytest.approx(np.array(wanted), abs=1e-6)


def test_perfect_vectors_are_perfect_and_random_ones_are_at_chance():
    labels = [f"l{i % 4}" for i in range(80)]
    perfect = check_vectors(np.eye(4)[np.arange(80) % 4] + 0.01 * spread(80, 3, 4), np.arange(80), "made")
    assert set(values(measure(perfect, facts_of(80, labels=labels))).values()) == {1.0}
    at_chance = values(measure(spread(80, 4), facts_of(80, labels=labels)))
    assert all(0.15 < value < 0.4 for value in at_chance.values())


def test_the_artist_filter_unmasks_a_model_that_only_hears_the_artist():
    """40 artists of 3 tracks, 4 labels of 10 artists: what is left without the artist is chance, 1 in 4."""
    artists = np.repeat(np.arange(40), 3)
    centers = np.random.default_rng(5).standard_normal((40, 32))
    heard = check_vectors(centers[artists] + 0.1 * spread(120, 6, 32), np.arange(120), "made")
    metadata = facts_of(120, labels=[f"l{a % 4}" for a in artists], artists=[f"a{a}" for a in artists])
    found = values(measure(heard, metadata, k=2))
    assert found["P@2 by label"] == 1.0
    assert found["P@2 by artist"] == 1.0
    for name in ("P@2", "kNN", "mAP"):
        assert 0.12 < found[f"{name} by label, other artists"] < 0.38, name


def test_the_album_filter_unmasks_a_model_that_only_hears_the_album():
    """10 artists of 4 albums of 3 tracks."""
    albums = np.repeat(np.arange(40), 3)
    centers = np.random.default_rng(7).standard_normal((40, 32))
    heard = check_vectors(centers[albums] + 0.1 * spread(120, 8, 32), np.arange(120), "made")
    metadata = facts_of(120, artists=[f"a{a % 10}" for a in albums], albums=[f"b{a}" for a in albums])
    answer = measure(heard, metadata, k=2)
    found = values(answer)
    assert found["P@2 by artist"] == found["P@2 by album"] == 1.0
    assert found["P@2 by artist, other albums"] < 0.25
    assert answer.omitted == ("retrieval by label: 0 different labels known, at least 2 are needed",)


def test_what_is_not_known_takes_no_part():
    labels = ["a", "b"] * 15
    vectors = spread(40, 9)
    some = measure(vectors, facts_of(40, labels=[*labels, *[None] * 10]))
    only = measure(vectors[:30], facts_of(30, labels=labels))
    assert values(some) == pytest.approx(values(only))
    assert {metric.n for metric in some.metrics} == {30}
    assert all(len(metric.columns) == 40 for metric in some.metrics)


def test_no_labels_or_one_class_is_said_and_not_measured():
    nothing = measure(spread(20), facts_of(20))
    assert nothing.metrics == ()
    assert nothing.omitted == tuple(
        f"retrieval by {name}: 0 different {name}s known, at least 2 are needed"
        for name in ("label", "artist", "album")
    )
    one = measure(spread(20), facts_of(20, labels=["rock"] * 20))
    assert one.metrics == ()
    assert "retrieval by label: 1 different labels known, at least 2 are needed" in one.omitted


def test_classes_of_one_track_have_no_say():
    answer = measure(spread(12), facts_of(12, labels=[f"l{i}" for i in range(12)]))
    assert answer.metrics == ()
    assert "retrieval by label: 0 of 12 tracks have a track to be found" in answer.omitted
    mixed = measure(spread(12), facts_of(12, labels=["a"] * 5 + ["b"] * 5 + ["c", "d"]), k=3)
    assert {metric.n for metric in mixed.metrics} == {10}
    values(mixed)
    assert "2 of 12 queries by label: no other track to be found" in mixed.omitted


def test_a_label_that_dominates_leaves_an_interval_of_real_numbers():
    for rare in (1, 2, 3):
        labels = ["a"] * (60 - rare) + ["b"] * rare
        for artists in (None, [f"x{i // 3}" for i in range(60)], ["x"] * 60):
            values(measure(spread(60), facts_of(60, labels=labels, artists=artists)))


def test_labels_that_only_one_artist_has_are_not_measured_beyond_the_artist():
    labels = ["a"] * 20 + ["b"] * 20
    answer = measure(spread(40), facts_of(40, labels=labels, artists=["x"] * 20 + ["y"] * 20))
    assert not any("other artists" in name for name in values(answer))
    assert "retrieval by label, other artists: 0 of 40 tracks have a track to be found" in answer.omitted


def test_fewer_tracks_than_k_leave_out_precision_alone():
    answer = measure(spread(10), facts_of(10, labels=["a", "b"] * 5), k=10)
    assert set(values(answer)) == {"mAP by label", "kNN by label"}
    assert "P@10 by label: 10 of 10 queries have fewer than 10 tracks to rank" in answer.omitted
    assert "P@9 by label" in values(measure(spread(10), facts_of(10, labels=["a", "b"] * 5), k=9))


def test_a_filter_that_leaves_fewer_than_k_to_rank_does_not_lower_precision():
    """A perfect model, 34 tracks of one artist and 6 of others: those 34 have but 6 tracks to rank."""
    labels = ["a", "b"] * 20
    perfect = check_vectors(np.eye(2)[np.arange(40) % 2] + 0.01 * spread(40, 3, 2), np.arange(40), "made")
    answer = measure(perfect, facts_of(40, labels=labels, artists=["x"] * 34 + [*"uvwyz"] + ["q"]), k=10)
    assert not any(name.startswith("P@10 by label, other") for name in values(answer))
    assert "P@10 by label, other artists: 34 of 40 queries have fewer than 10 tracks to rank" in answer.omitted
    assert values(answer)["mAP by label, other artists"] == 1.0


def test_two_tracks_are_enough_not_to_fail():
    assert measure(spread(2), facts_of(2, labels=["a", "b"])).metrics == ()


def test_the_vote_is_by_the_nearest_that_may_vote():
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
    assert predictions(scores, labels)[3] == "b", "only one may vote"
    assert predictions(scores, labels).shape == (4,), "fewer tracks than neighbors"
