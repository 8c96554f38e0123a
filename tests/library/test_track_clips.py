"""Clips of tracks as arrays: stored mels, and tracks that have none."""

import shutil

import numpy as np

from audioae.api import Library
from audioae.library.track_clips import read_clips
from audioae.library.track_vectors import take, vectors_from_store
from audioae.pipeline.config import Workers
from audioae.store.dataset import Store


def test_decodes_what_is_not_stored_to_the_same_clips(chain, tmp_path):
    store = chain[0]
    rows = np.array([3, 0, 5])
    steps: list[tuple[str, int, int]] = []

    def read(root: str):
        library = Library(Store(root))
        tracks = take(vectors_from_store(library.store, library.embeddings_ref), rows)
        return read_clips(library, tracks, Workers(), lambda *step: steps.append(step))

    stored = read(store.root)
    assert steps[-1][0] == "clips"
    assert steps[-1][1] == steps[-1][2]
    shutil.copytree(store.root, tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / "mels" / "parts")
    decoded = read(str(tmp_path / "store"))
    assert set(stored.track) == {0, 1, 2}
    assert (stored.codes.dtype, stored.codes.shape[1:]) == (np.uint8, (128, 130))
    for one, other in zip(stored, decoded, strict=True):
        np.testing.assert_array_equal(one, other)
