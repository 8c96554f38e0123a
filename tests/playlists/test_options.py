"""Options of a playlist."""

import pytest
from pydantic import ValidationError

from audioae.playlists.options import PlaylistOptions


@pytest.mark.parametrize("settings", [{}, {"n": 5, "duration_s": 100.0}, {"n": 1}, {"n": 5, "artist_window": 0}])
def test_refuses_inconsistent_options(settings: dict):
    with pytest.raises(ValidationError):
        PlaylistOptions(**settings)
