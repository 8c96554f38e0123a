"""Predicting the collaborative vectors that a file lacks."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from audioae.errors import SearchError, StoreError
from audioae.recommend.factor_files import predict_vectors


def test_predicts_the_vectors_of_all_other_tracks(library, tmp_path):
    ids = sorted(library.tracks["track_id"].to_pylist())
    vectors = np.random.default_rng(0).standard_normal((18, 4)).astype(np.float32)
    known, out = tmp_path / "known.npz", str(tmp_path / "out.parquet")
    np.savez(known, track_id=np.array([*ids[:17], "elsewhere"]), vector=vectors)
    n_known, n_predicted, accuracy = predict_vectors(library, str(known), out)
    assert (n_known, n_predicted, accuracy.n) == (17, len(ids) - 17, 17)
    table = pq.read_table(out)
    assert sorted(table["track_id"].to_pylist()) == ids[17:]
    assert np.isfinite(np.array(table["vector"].to_pylist())).all()
    with pytest.raises(StoreError, match="cannot be written"):
        predict_vectors(library, str(known), str(tmp_path / "no folder" / "out.parquet"))


def test_refuses_unknown_and_repeated_tracks(library, tmp_path):
    known, out = tmp_path / "known.npz", str(tmp_path / "out.parquet")
    vectors = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
    np.savez(known, track_id=np.array(["elsewhere"]), vector=vectors[:1])
    with pytest.raises(SearchError, match="none of its 1 tracks has an embedding, such as elsewhere"):
        predict_vectors(library, str(known), out)
    np.savez(known, track_id=np.array([library.tracks["track_id"][0].as_py()] * 12), vector=vectors)
    with pytest.raises(SearchError, match="11 rows repeat a track"):
        predict_vectors(library, str(known), out)
