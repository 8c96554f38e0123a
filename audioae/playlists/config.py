"""Settings of the stage playlists."""

from pydantic import Field

from audioae.config import Config
from audioae.playlists.options import PlaylistOptions


class PlaylistRequest(Config):
    """One playlist: its name, its waypoints (two or more track_ids or titles, in order), and its options.

    With `label`, only tracks with one of these labels are picked.
    """

    name: str = Field(min_length=1)
    waypoints: tuple[str, ...] = Field(min_length=2)
    options: PlaylistOptions = PlaylistOptions(n=25)
    label: tuple[str, ...] = ()
