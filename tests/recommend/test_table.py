"""The published table of recommendations."""

import pyarrow.parquet as pq
import pytest

from audioae.recommend.config import RecommendConfig
from audioae.recommend.recommender import Recommender
from audioae.recommend.table import publish_recommendations
from audioae.store.prune import prune


def test_publishes_once_per_log_and_embeddings(store, plays, tmp_path):
    embeddings = store.require("embeddings")
    ref = publish_recommendations(store, RecommendConfig(plays=plays, k=4), embeddings)
    rows = store.read(ref).to_pylist()
    played = pq.read_table(plays)
    assert {row["listener_id"] for row in rows} == set(played["listener_id"].to_pylist())
    assert [row["rank"] for row in rows] == [1, 2, 3, 4] * 40
    assert not {row["track_id"] for row in rows} & set(played["track_id"].to_pylist())
    pairs = set(zip(played["listener_id"].to_pylist(), played["track_id"].to_pylist(), strict=True))
    assert all((row["listener_id"], track_id) in pairs for row in rows for track_id in row["because"])
    assert all(row["score"] == pytest.approx((row["fit"] + row["others"]) / 2, abs=1e-5) for row in rows)
    assert store.manifest(ref).parent("embeddings") == embeddings

    parts = store.part_fingerprints("recommendations")
    assert publish_recommendations(store, RecommendConfig(plays=plays, k=4), embeddings) == ref
    assert store.part_fingerprints("recommendations") == parts
    fewer = tmp_path / "fewer.parquet"
    pq.write_table(played.slice(0, 500), fewer)
    assert publish_recommendations(store, RecommendConfig(plays=str(fewer), k=4), embeddings) != ref
    assert store.latest("recommendations") != ref
    assert ref not in prune(store, dry_run=True).versions


def test_table_equals_the_recommendations_of_one_listener(store, library, plays):
    rows = Recommender(library, plays).for_listener("listener07", 3)
    ref = publish_recommendations(store, RecommendConfig(plays=plays, k=4), library.embeddings_ref)
    stored = [row["track_id"] for row in store.read(ref).to_pylist() if row["listener_id"] == "listener07"]
    assert [row["track_id"] for row in rows] == stored[:3]
