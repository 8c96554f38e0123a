"""The page of a whole store: data in, one HTML file out.

Conventions
-----------
- A row is the position of a track in `vectors` and `metadata`. Keys are as in `shell`; every key that is used is in
  `tracks`.
- What the store does not have is empty here, and `missing` has the reason by the anchor of its section: a sentence
  without its period.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from audioae.errors import EvaluationError
from audioae.library.track_metadata import TrackMetadata
from audioae.pages import map_sections, metric_sections, store_sections
from audioae.pages.finding_sections import findings
from audioae.pages.layout import map_rows
from audioae.pages.list_sections import playlists, recommendations
from audioae.pages.markup import Section, left_out
from audioae.pages.neighbors import NeighborLists
from audioae.pages.shell import Key, PageTrack, nearest_of, render_shell

UNKNOWN = "the store has none"
NO_VECTORS = np.zeros((0, 1), np.float32)


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything that the page of a store shows.

    Parameters
    ----------
    store, date : str
    versions : mapping of dataset to ref
    accounting : mapping
        n_tracks, embedded, duplicates, rejected by reason, pending, padded.
    rejected : sequence of mapping
        name, uri, reason, detail.
    metrics : sequence of mapping
        The log of the training.
    error : float, optional
        Mean squared reconstruction error of all tracks.
    reconstructions : tuple of two np.ndarray, each (m, 128, 130), in dB, optional
        Originals and their reconstructions.
    vectors : np.ndarray, shape (n, d), rows of length 1
    metadata : TrackMetadata, optional
        IDs, labels and artists of the n tracks; None if there are none.
    hubs : mapping
        k, and hubs as returned by `metrics.document.hub_rows`.
    neighbors : sequence of NeighborLists
    checks, walks, listeners : sequences of mapping
        As in `finding_sections` and `list_sections`.
    gate, limits : mapping
        What the index measured, and the limits that it had to meet.
    tracks : mapping of key to PageTrack
    missing : mapping of anchor to the reason why a section has nothing to show
    omitted : sequence of str

    Raises
    ------
    EvaluationError
        If vectors and metadata do not match, or a key is not in `tracks`.
    """

    store: str
    date: str
    versions: Mapping[str, str]
    accounting: Mapping[str, Any]
    rejected: Sequence[Mapping[str, Any]] = ()
    metrics: Sequence[Mapping[str, Any]] = ()
    error: float | None = None
    reconstructions: tuple[np.ndarray, np.ndarray] | None = None
    vectors: np.ndarray = field(default_factory=lambda: NO_VECTORS)
    metadata: TrackMetadata | None = None
    hubs: Mapping[str, Any] = field(default_factory=dict)
    neighbors: Sequence[NeighborLists] = ()
    checks: Sequence[Mapping[str, Any]] = ()
    walks: Sequence[Mapping[str, Any]] = ()
    listeners: Sequence[Mapping[str, Any]] = ()
    gate: Mapping[str, Any] | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    tracks: Mapping[Key, PageTrack] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    omitted: Sequence[str] = ()

    def __post_init__(self):
        n = self.metadata.n if self.metadata else 0
        if len(self.vectors) != n or not np.isfinite(self.vectors).all():
            raise EvaluationError(
                f"report: got vectors of shape {self.vectors.shape} for {n} tracks, wanted (n, d), all finite"
            )
        keys = {row for query in self.neighbors for row in (query.query, *query.rows)} | set(map_rows(n).tolist())
        if unknown := sorted(str(key) for key in keys if key not in self.tracks):
            raise EvaluationError(f"report: tracks {unknown[:5]} are shown but missing from `tracks`")


def render_report(data: ReportData) -> str:
    """The whole page as HTML; write it to a file as UTF-8.

    It lays out the map by t-SNE, which takes some seconds.
    """
    rows = map_rows(len(data.vectors))
    error = {} if data.error is None else {"mean squared error per mel bin, all tracks": {"value": data.error}}
    with_vectors = _sections_of_vectors(data, rows)
    sections = [
        store_sections.accounting(data.accounting, data.rejected),
        store_sections.training(data.metrics, _why(data, "training")),
        map_sections.reconstructions({"reconstruction": error}, data.reconstructions),
        with_vectors["map"],
        findings(data.checks, data.tracks, _why(data, "findings")),
        with_vectors["neighbors"],
        playlists(data.walks, data.vectors, data.tracks, _why(data, "playlists")),
        with_vectors["exposure"],
        store_sections.gate(data.gate, data.limits, _why(data, "index")),
        recommendations(data.listeners, data.tracks, _why(data, "recommendations")),
        metric_sections.omitted(data.omitted),
    ]
    return render_shell(
        f"{data.store}: report",
        store_sections.headline(data.store, data.date, data.versions, data.accounting, data.gate, data.checks),
        [section for section in sections if section is not None],
        data.tracks,
        [] if data.metadata is None else data.metadata.labels.tolist(),
        {} if data.metadata is None else nearest_of(data.vectors, rows),
        data.neighbors[0].query if data.neighbors else 0,
    )


def _sections_of_vectors(data: ReportData, rows: np.ndarray) -> dict[str, Section]:
    """The sections that need embeddings, by anchor."""
    if data.metadata is None:
        titles = {"map": "Map", "neighbors": "Nearest tracks", "exposure": "Exposure"}
        return {anchor: left_out(anchor, title, _why(data, "map")) for anchor, title in titles.items()}
    titles = [data.tracks[row].title if row in data.tracks else "" for row in range(data.metadata.n)]
    return {
        "map": map_sections.track_map(data.vectors, rows, data.metadata.labels),
        "neighbors": map_sections.gallery(data.neighbors, titles, data.metadata),
        "exposure": store_sections.exposure(data.vectors, data.metadata, data.hubs),
    }


def _why(data: ReportData, anchor: str) -> str:
    return data.missing.get(anchor, UNKNOWN)
