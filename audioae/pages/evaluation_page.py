"""The page of an evaluation: data in, one HTML file out.

Conventions
-----------
- Rows count the tracks that were evaluated, as in `vectors` and `facts`.
- Mels are dB below the clip's maximum, [-80, 0], (128, 130); clips are MP3 files of about 3 s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from audioae.errors import EvaluationError
from audioae.library.track_metadata import TrackMetadata
from audioae.pages import map_sections, metric_sections
from audioae.pages.layout import map_rows
from audioae.pages.neighbors import NeighborLists
from audioae.pages.shell import Key, Shown, nearest_of, render_shell


@dataclass(frozen=True, eq=False)
class PageData:
    """All that the page shows.

    Parameters
    ----------
    document : mapping
        The evaluation's JSON. A part that is missing or empty is left out with a sentence.
    vectors : np.ndarray, shape (n, d), rows of length 1
    facts : Facts
        IDs, labels and artists of the n tracks.
    titles : sequence of str, length n
        "" where not known: the ID stands for it.
    neighbors : sequence of Neighbors
        Queries with their nearest tracks, for the gallery.
    mels, clips : mapping of row to np.ndarray (128, 130) in dB, and of row to MP3 bytes
        Of the tracks that can be seen and heard; of no others.
    reconstructions : tuple of originals and reconstructions, each (m, 128, 130) in dB, or None

    Raises
    ------
    EvaluationError
        If these do not fit together.
    """

    document: Mapping[str, Any]
    vectors: np.ndarray
    metadata: TrackMetadata
    titles: Sequence[str]
    neighbors: Sequence[NeighborLists] = ()
    mels: Mapping[int, np.ndarray] = field(default_factory=dict)
    clips: Mapping[int, bytes] = field(default_factory=dict)
    reconstructions: tuple[np.ndarray, np.ndarray] | None = None

    def __post_init__(self):
        n = self.metadata.n
        if self.vectors.ndim != 2 or len(self.vectors) != n or len(self.titles) != n:
            got = f"vectors of shape {self.vectors.shape} and {len(self.titles)} titles"
            raise EvaluationError(f"page: got {got} for {n} tracks, wanted (n, d) and n")
        if not np.isfinite(self.vectors).all():
            raise EvaluationError("page: vectors hold NaN or infinity; leave those tracks out")
        rows = {*self.mels, *self.clips} | {row for found in self.neighbors for row in (found.query, *found.rows)}
        if wrong := sorted(row for row in rows if not 0 <= row < n):
            raise EvaluationError(f"page: mels, clips or neighbors of rows {wrong[:5]}, there are {n} tracks")
        shapes = {np.shape(mel) for mel in self.mels.values()}
        if any(len(shape) != 2 for shape in shapes):
            raise EvaluationError(f"page: got mels of shapes {sorted(shapes)}, wanted (bands, frames)")
        if self.reconstructions and self.reconstructions[0].shape != self.reconstructions[1].shape:
            shapes = [np.shape(mels) for mels in self.reconstructions]
            raise EvaluationError(f"page: originals and reconstructions have shapes {shapes}, wanted the same")


def render_page(data: PageData) -> str:
    """The whole page as HTML; write it to a file as UTF-8.

    It lays out the map by UMAP, which takes some seconds.
    """
    rows = map_rows(data.metadata.n)
    document = data.document
    sections = [
        metric_sections.metric_table(document),
        map_sections.track_map(data.vectors, rows, data.metadata.labels),
        map_sections.gallery(data.neighbors, data.titles, data.metadata),
        map_sections.confusion(document),
        map_sections.hubs(document, data.vectors, data.metadata),
        metric_sections.robustness(document),
        map_sections.codebook(document),
        map_sections.reconstructions(document, data.reconstructions),
        metric_sections.omitted(document),
    ]
    return render_shell(
        f"{document.get('title') or 'embeddings'}: evaluation",
        metric_sections.headline(document, data.metadata.n),
        [section for section in sections if section is not None],
        _tracks(data, rows),
        data.metadata.labels.tolist(),
        nearest_of(data.vectors, rows),
        data.neighbors[0].query if data.neighbors else int(rows[0]),
    )


def _tracks(data: PageData, rows: np.ndarray) -> dict[Key, Shown]:
    """All tracks that the page names."""
    metadata = data.metadata
    hub_ids = {hub["track_id"] for hub in data.document.get("hubs") or []}
    named = {*rows.tolist(), *data.mels, *data.clips} | {i for i, name in enumerate(metadata.ids) if name in hub_ids}
    named |= {row for found in data.neighbors for row in (found.query, *found.rows)}
    return {
        row: Shown(
            data.titles[row] or str(metadata.ids[row]),
            metadata.artists[row],
            metadata.labels[row],
            data.mels.get(row),
            data.clips.get(row),
        )
        for row in sorted(named)
    }
