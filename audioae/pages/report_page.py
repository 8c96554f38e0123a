"""The page of a whole store: data in, one HTML file out.

Conventions
-----------
- Rows count the tracks of `vectors` and `facts`; keys are as in `shell`, and all that are referred to are in `tracks`.
- What the store lacks is empty here and named in `missing`, by the anchor of its section: a sentence without its stop.
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
from audioae.pages.list_sections import coldstart, playlists
from audioae.pages.markup import Section, left_out
from audioae.pages.neighbors import NeighborLists
from audioae.pages.shell import Key, Shown, nearest_of, render_shell

UNKNOWN = "there is none in the store"
NO_VECTORS = np.zeros((0, 1), np.float32)


@dataclass(frozen=True, eq=False)
class ReportData:
    """All that the page shows.

    Parameters
    ----------
    store, date : str
    versions : mapping of dataset to ref
    accounting : mapping
        n_tracks, embedded, duplicates, rejected by reason, pending, padded.
    rejected : sequence of mapping
        name, uri, reason, detail.
    metrics : sequence of mapping
        What training logged.
    error : float, optional
        Mean squared reconstruction error of all tracks.
    reconstructions : tuple of originals and reconstructions, each (m, 128, 130) in dB, optional
    vectors : np.ndarray, shape (n, d), rows of length 1; and facts : Facts of the n tracks, None for none
    hubs : mapping
        k, and hubs as `metrics.document.hub_rows` has them.
    neighbors : sequence of Neighbors
    checks, walks, listeners : sequences of mapping
        As `findings` and `walks` have them.
    gate, limits : mapping
        What the index showed, and what it had to.
    tracks : mapping of key to Shown
    missing : mapping of anchor to why a section is left out
    omitted : sequence of str

    Raises
    ------
    EvaluationError
        If vectors and facts do not fit together, or something refers to a track that is not there.
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
    tracks: Mapping[Key, Shown] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    omitted: Sequence[str] = ()

    def __post_init__(self):
        n = self.metadata.n if self.metadata else 0
        if len(self.vectors) != n or not np.isfinite(self.vectors).all():
            raise EvaluationError(
                f"report: got vectors of shape {self.vectors.shape} for {n} tracks, wanted finite ones"
            )
        keys = {row for found in self.neighbors for row in (found.query, *found.rows)} | set(map_rows(n).tolist())
        if lost := sorted(str(key) for key in keys if key not in self.tracks):
            raise EvaluationError(f"report: nothing is known of tracks {lost[:5]}, which it refers to")


def render_report(data: ReportData) -> str:
    """The whole page as HTML; write it to a file as UTF-8.

    It lays out the map by UMAP, which takes some seconds.
    """
    why = lambda anchor: data.missing.get(anchor, UNKNOWN)  # noqa: E731
    metadata, rows = data.metadata, map_rows(len(data.vectors))
    lost = metric_sections.omitted({"omitted": data.omitted})
    error = {} if data.error is None else {"mean squared error of all tracks, per bin": {"value": data.error}}
    sections = [
        store_sections.accounting(data.accounting, data.rejected),
        store_sections.training(data.metrics, why("training")),
        map_sections.reconstructions({"reconstruction": error}, data.reconstructions),
        _without("map", "Map", why("map"))
        if metadata is None
        else map_sections.track_map(data.vectors, rows, metadata.labels),
        findings(data.checks, data.tracks, why("findings")),
        _without("neighbors", "Nearest tracks", why("map"))
        if metadata is None
        else map_sections.gallery(data.neighbors, _titles(data, metadata), metadata),
        playlists(data.walks, data.vectors, data.tracks, why("playlists")),
        _without("exposure", "Exposure", why("map"))
        if metadata is None
        else store_sections.exposure(data.vectors, metadata, data.hubs),
        store_sections.gate(data.gate, data.limits, why("index")),
        coldstart(data.listeners, data.tracks, why("coldstart")),
        *([lost] if lost else []),
    ]
    return render_shell(
        f"{data.store}: report",
        store_sections.headline(data.store, data.date, data.versions, data.accounting, data.gate, data.checks),
        sections,
        data.tracks,
        [] if metadata is None else metadata.labels.tolist(),
        {} if metadata is None else nearest_of(data.vectors, rows),
        data.neighbors[0].query if data.neighbors else 0,
    )


def _without(anchor: str, title: str, why: str) -> Section:
    return Section(anchor, title, left_out(why))


def _titles(data: ReportData, metadata: TrackMetadata) -> list[str]:
    return [data.tracks[row].title if row in data.tracks else "" for row in range(metadata.n)]
