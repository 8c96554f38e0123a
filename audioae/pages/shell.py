"""The frame of every page: one template, one style, one script, and the tracks that the script shows and plays.

Conventions
-----------
- A key names a track in the page: the row of a track on the map, or a text for an excerpt that has no row (a rejected
  track, a copy, another time of a track). Marks, clips and lists carry it as `data-row`, and the script looks it up.
- The page loads nothing: its own content security policy forbids it, so tags in a catalog cannot make it do so.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioae.display import shown
from audioae.pages.map_charts import label_hues
from audioae.pages.markup import Section, draw, package_file, render
from audioae.pages.neighbors import nearest
from audioae.pages.pictures import mel_picture

if TYPE_CHECKING:
    from markupsafe import Markup

Key = int | str


@dataclass(frozen=True, eq=False)
class PageTrack:
    """A track as the page shows it, its texts escaped; everything except the title may be missing.

    Parameters
    ----------
    title, artist, label : str
    mel : np.ndarray, shape (128, 130), in dB, optional
    clip : bytes, optional
        An MP3 file.
    start_s : float, optional
        Where in the track the mel and the clip start.
    uri : str
    """

    title: str
    artist: str = ""
    label: str = ""
    mel: np.ndarray | None = None
    clip: bytes | None = None
    start_s: float | None = None
    uri: str = ""

    def __post_init__(self):
        for name in ("title", "artist", "label", "uri"):
            object.__setattr__(self, name, shown(getattr(self, name)))


def render_shell(
    title: str,
    header: "Markup",
    sections: Sequence[Section],
    tracks: Mapping[Key, PageTrack],
    labels: Sequence[str],
    near: Mapping[int, Any] | None = None,
    first: Key | None = None,
) -> str:
    """The whole page as HTML.

    Parameters
    ----------
    title : str
        Title of the window.
    header : Markup
        What is above the links to the sections.
    sections : sequence of Section
    tracks : mapping of key to PageTrack
        All tracks that a section or `near` refers to.
    labels : sequence of str
        Labels of the catalog; each has its color.
    near, first
        The result of `nearest_of`, and the track that is selected on the map first; only for a page with a map.
    """
    page = render(
        "page",
        title=title,
        style=package_file("colors.css") + package_file("style.css"),
        hues=label_hues(len(set(labels))),
        shapes=draw("mark_shapes"),
        header=header,
        sections=sections,
        data={
            "tracks": {key: [track.title, track.artist, track.label] for key, track in tracks.items()},
            "nearest": near or {},
            "first": first,
            "mels": {key: mel_picture(track.mel) for key, track in tracks.items() if track.mel is not None},
            "clips": {key: base64.b64encode(track.clip).decode() for key, track in tracks.items() if track.clip},
        },
        script=package_file("script.js"),
    )
    return str(page)


def nearest_of(vectors: np.ndarray, rows: np.ndarray) -> dict[int, list[tuple[int, float]]]:
    """The nearest tracks of each row on the map, among those on the map, with their cosines."""
    return {
        int(rows[neighbors.query]): [
            (int(rows[row]), round(score, 3)) for row, score in zip(neighbors.rows, neighbors.scores, strict=True)
        ]
        for neighbors in nearest(vectors[rows], range(len(rows)))
    }
