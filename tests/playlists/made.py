"""Made-up tracks to make playlists of."""

import numpy as np

from audioae.playlists.pool import PlaylistTracks
from tests.search.made import clustered

NO_ARTIST_RULES = {"artist_window": 1, "max_per_artist": None}


def made_tracks(n: int = 200, seed: int = 0, n_artists: int = 40) -> PlaylistTracks:
    """Random tracks of `n_artists` artists, two to six minutes long, with tempos and energies."""
    rng = np.random.default_rng(seed)
    return PlaylistTracks(
        clustered(n, seed=seed + 1, n_artists=n_artists),
        np.array([f"artist {i}" for i in rng.integers(n_artists, size=n)], object),
        rng.uniform(120, 360, n),
        np.ones(n, bool),
        {"tempo": rng.uniform(80, 160, n), "energy": rng.uniform(-30, -8, n)},
    )
