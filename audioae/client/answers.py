"""The service's answers about tracks, playlists, recommendations and findings, as the library's objects."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np

from audioae.library.records import Track
from audioae.library.track_search import FoundTrack, TrackPage
from audioae.library.track_state import TrackState
from audioae.recommend.answer import PlayedTrack, RecommendAnswer, Recommendation, Taste
from audioae.screening.pages import FindingsPage

NAMES = ("index", "model")  # of where an answer is from


@dataclass(frozen=True)
class ServedPlaylist:
    """A playlist: its `document`, as `PlaylistAnswer.document`, without what only the server's own files are for."""

    document: dict[str, Any]


@dataclass(frozen=True, eq=False)
class ServedEmbedding:
    """A file as the catalog would contain it: what `pipeline.embed_outside.Embedded` has, without the fingerprint."""

    embedding: np.ndarray
    n_clips: int
    duration_s: float
    padded: bool
    reconstruction_error: float
    spread: float
    health: dict[str, Any]


def embedding_from(content: Mapping[str, Any]) -> ServedEmbedding:
    """The answer of `/v1/embed`."""
    columns = {field.name: content[field.name] for field in fields(ServedEmbedding)}
    return ServedEmbedding(**{**columns, "embedding": np.asarray(content["embedding"], np.float32)})


def track_from(content: Mapping[str, Any]) -> TrackState:
    """The answer of `/v1/tracks/{track_id}`. Of the catalog's columns it has those that the service shows."""
    columns = {field.name: content.get(field.name) for field in fields(Track)}
    track = Track(**{**columns, "added_at": _time(columns["added_at"])})
    state = {field.name: content[field.name] for field in fields(TrackState) if field.name != "track"}
    return TrackState(track, **{**state, "retry_at": _time(state["retry_at"])})


def tracks_from(content: Mapping[str, Any]) -> TrackPage:
    """The answer of `/v1/tracks`."""
    return TrackPage([FoundTrack(**row) for row in content["tracks"]], content["total"], content["offset"])


def playlist_from(content: Mapping[str, Any]) -> ServedPlaylist:
    """The answer of `/v1/playlist`."""
    return ServedPlaylist({name: value for name, value in content.items() if name != "index"})


def recommendations_from(content: Mapping[str, Any]) -> RecommendAnswer:
    """The answer of `/v1/recommend`."""
    rows = [
        Recommendation(**{**row, "because": [PlayedTrack(**played) for played in row["because"]]})
        for row in content["recommendations"]
    ]
    tastes = [Taste(**taste) for taste in content["tastes"]]
    return RecommendAnswer(rows, tastes, content["n_new"], content["unknown_plays"], content["short"])


def findings_from(content: Mapping[str, Any]) -> FindingsPage:
    """The answer of `/v1/findings`."""
    page = {name: value for name, value in content.items() if name not in NAMES}
    checks = [{name.replace("_", " "): value for name, value in row.items()} for row in page["checks"]]
    return FindingsPage(**{**page, "checks": checks})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
