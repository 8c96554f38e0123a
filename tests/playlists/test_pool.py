"""The pool of tracks near the path."""

import numpy as np

from audioae.playlists.options import PlaylistOptions
from audioae.playlists.path import angles, interpolate
from audioae.playlists.pool import POOL, corridor
from tests.playlists.made import made_tracks


def test_corridor_of_a_large_catalog_follows_the_path():
    tracks = made_tracks(5_000, n_artists=400)
    pool = corridor(tracks, [3, 7], PlaylistOptions(n=10), POOL)
    assert pool[:2].tolist() == [3, 7]
    assert POOL / 3 < len(pool) <= POOL + 2
    assert len(np.unique(pool)) == len(pool)
    path = interpolate(tracks.embeddings[[3, 7]], np.array([0, 10]), "spherical")
    near = angles(tracks.embeddings, path).min(axis=1)
    assert near[pool].mean() < near.mean()
