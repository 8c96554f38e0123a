"""The page of an evaluation: data in, one HTML file out.

Conventions
-----------
- A row is the position of an evaluated track, as in `vectors` and `metadata`.
- Mels are dB below the clip's maximum, in [-80, 0], shape (128, 130); clips are MP3 files of about 3 s.
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
from audioae.pages.shell import Key, PageTrack, nearest_of, render_shell


@dataclass(frozen=True, eq=False)
class PageData:
    """Everything that the page of an evaluation shows.

    Parameters
    ----------
    document : mapping
        The evaluation's JSON document. A missing or empty part becomes a sentence.
    vectors : np.ndarray, shape (n, d), rows of length 1
    metadata : TrackMetadata
        IDs, labels and artists of the n tracks.
    titles : sequence of str, length n
        "" where unknown: the ID is shown instead.
    neighbors : sequence of NeighborLists
        Queries with their nearest tracks.
    mels : mapping of row to np.ndarray, shape (128, 130), in dB
    clips : mapping of row to bytes
        MP3 files. Tracks without a mel or a clip are shown without.
    reconstructions : tuple of two np.ndarray, each (m, 128, 130), in dB, optional
        Originals and their reconstructions.

    Raises
    ------
    EvaluationError
        If shapes or rows do not match.
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
            raise EvaluationError("page: the vectors contain NaN or infinity; remove those tracks")
        rows = {*self.mels, *self.clips, *_listed(self.neighbors)}
        if wrong := sorted(row for row in rows if not 0 <= row < n):
            raise EvaluationError(f"page: mels, clips or neighbors refer to rows {wrong[:5]}, wanted 0 to {n - 1}")
        shapes = {np.shape(mel) for mel in self.mels.values()}
        if any(len(shape) != 2 for shape in shapes):
            raise EvaluationError(f"page: got mels of shapes {sorted(shapes)}, wanted (bands, frames)")
        if self.reconstructions and self.reconstructions[0].shape != self.reconstructions[1].shape:
            shapes = [np.shape(mels) for mels in self.reconstructions]
            raise EvaluationError(f"page: originals and reconstructions have shapes {shapes}, wanted equal shapes")


def render_page(data: PageData) -> str:
    """The whole page as HTML; write it to a file as UTF-8.

    It lays out the map by t-SNE, which takes some seconds.
    """
    rows = map_rows(data.metadata.n)
    document = data.document
    sections = [
        metric_sections.metric_table(document),
        metric_sections.carriers(document),
        map_sections.track_map(data.vectors, rows, data.metadata.labels),
        map_sections.gallery(data.neighbors, data.titles, data.metadata),
        map_sections.confusion(document),
        map_sections.hubs(document, data.vectors, data.metadata),
        metric_sections.robustness(document),
        map_sections.codebook(document),
        map_sections.reconstructions(document, data.reconstructions),
        metric_sections.omitted(document.get("omitted") or ()),
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


def _tracks(data: PageData, rows: np.ndarray) -> dict[Key, PageTrack]:
    """All tracks that the page names."""
    metadata = data.metadata
    hub_ids = {hub["track_id"] for hub in data.document.get("hubs") or []}
    named = {*rows.tolist(), *data.mels, *data.clips, *_listed(data.neighbors)}
    named |= {row for row, track_id in enumerate(metadata.ids) if track_id in hub_ids}
    return {
        row: PageTrack(
            str(data.titles[row] or metadata.ids[row]),
            str(metadata.artists[row]),
            str(metadata.labels[row]),
            data.mels.get(row),
            data.clips.get(row),
        )
        for row in sorted(named)
    }


def _listed(neighbors: Sequence[NeighborLists]) -> set[int]:
    return {row for query in neighbors for row in (query.query, *query.rows)}
