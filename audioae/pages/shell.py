"""What every page is made of: one template, one style, one script, and the tracks that the script shows and plays.

Conventions
-----------
- A key names a track in the page: the row of an evaluated track, or a text for what has no row (a copy, another second
  of a track). Marks, mels and lists carry it as `data-row`, and the script looks it up.
- The page may load nothing: its own policy forbids it, so a catalog's tags cannot make it do so.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from audioae.pages.markup import Section, escape, mel_picture, script_json
from audioae.pages.neighbors import nearest
from audioae.pages.plots import MAX_LABELS, label_styles, mark_shapes

Key = int | str


@dataclass(frozen=True, eq=False)
class Shown:
    """A track as a page has it: `mel` is (128, 130) in dB and `clip` an MP3 file, from second `start_s` of it on.

    All but the title only where they are known.
    """

    title: str
    artist: str = ""
    label: str = ""
    mel: np.ndarray | None = None
    clip: bytes | None = None
    start_s: float | None = None
    uri: str = ""


def render_shell(
    title: str,
    header: str,
    sections: Sequence[Section],
    tracks: Mapping[Key, Shown],
    labels: Sequence[str],
    near: Mapping[int, Any] | None = None,
    first: Key | None = None,
) -> str:
    """The whole page as HTML.

    Parameters
    ----------
    title : str
        Of the window; escaped here.
    header : str
        HTML above the links.
    sections : sequence of Section
    tracks : mapping of key to Shown
        All that a section or `near` refers to.
    labels : sequence of str
        Of the catalog: each gets its color.
    near, first :
        As `nearest_of` gives it, and the track that the map begins with; both only for a page with a map.
    """
    return Template(_resource("template.html")).substitute(
        title=escape(title),
        style=_resource("style.css") + label_styles(min(MAX_LABELS, max(1, len(set(labels))))),
        shapes=mark_shapes(),
        header=header,
        links="".join(f'<a href="#{section.anchor}">{escape(section.title)}</a>' for section in sections),
        sections="".join(section.render() for section in sections),
        data=script_json(
            {
                "tracks": {key: [own.title, own.artist, own.label] for key, own in tracks.items()},
                "nearest": near or {},
                "first": first,
                "mels": {key: mel_picture(own.mel) for key, own in tracks.items() if own.mel is not None},
                "clips": {key: base64.b64encode(own.clip).decode() for key, own in tracks.items() if own.clip},
            }
        ),
        script=_resource("script.js"),
    )


def nearest_of(vectors: np.ndarray, rows: np.ndarray) -> dict[int, list[tuple[int, float]]]:
    """For each of the rows on the map, those of them that are nearest, with cosines."""
    return {
        int(rows[found.query]): [
            (int(rows[row]), round(score, 3)) for row, score in zip(found.rows, found.scores, strict=True)
        ]
        for found in nearest(vectors[rows], range(len(rows)))
    }


def _resource(name: str) -> str:
    return (files("audioae.pages") / name).read_text(encoding="utf-8")
