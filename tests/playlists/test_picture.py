"""Pictures of playlists."""

import numpy as np

from audioae.playlists.options import PlaylistOptions
from audioae.playlists.picture import preview_picture, walk_picture
from audioae.playlists.walk import make_playlist
from tests.playlists.made import made_tracks


def test_titles_are_drawn_as_they_are():
    tracks = made_tracks(50)
    playlist = make_playlist(tracks, [3, 7], PlaylistOptions(n=2))
    for name in (r"$\frac$", "\ud800\x1b\n", "x" * 100_000):
        assert walk_picture(playlist, tracks.embeddings, [name] * 2, name)[:4] == b"\x89PNG"


def test_pictures_are_png():
    tracks = made_tracks(50)
    playlist = make_playlist(tracks, [3, 7], PlaylistOptions(n=6))
    assert walk_picture(playlist, tracks.embeddings, list("abcdef"), "a to f")[:4] == b"\x89PNG"
    assert preview_picture(np.full((2, 128, 130), -40.0), [0.0, 1.0], "a to f")[:4] == b"\x89PNG"
