"""Playlists over a store: from waypoints, options and filters to a document for people and programs.

Conventions
-----------
- Near duplicates are those known to an index built from the same embeddings. Of byte-identical tracks only one is
  embedded; the document shows the one that passes the filters.
- A waypoint is a track of the catalog. An audio file from outside cannot be part of a playlist.
- `playlists.track_values` says where energy and tempo come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.catalog.paths import address_of
from audioae.errors import SearchError
from audioae.library.duplicates import SHOWN, substitutes
from audioae.library.filters import Filters, matching
from audioae.library.generation import Generation
from audioae.library.track_ids import TrackIds
from audioae.library.track_vectors import TrackVectors
from audioae.pipeline.config import Workers
from audioae.playlists.options import PlaylistOptions
from audioae.playlists.pool import PlaylistTracks
from audioae.playlists.source import PlaylistSource, all_tracks
from audioae.playlists.track_values import TrackValues
from audioae.playlists.walk import Playlist, make_playlist
from audioae.progress import Progress


@dataclass(frozen=True)
class PlaylistAnswer:
    """A playlist, its `document`, and the catalog's `embeddings` (n, dim), which a picture of it needs.

    The document has name, n, duration_s, gave_way (rules that were relaxed, each with how), smoothness (mean and
    largest step of the playlist and of alternatives), notes, entries, options, embeddings and model.
    """

    playlist: Playlist
    document: dict[str, Any]
    embeddings: np.ndarray


class Playlists:
    """Makes playlists from one version of a store's embeddings.

    Parameters
    ----------
    library : Generation
    source : PlaylistSource, optional
        The tracks to choose from; default: all with an embedding.
    facts : str or None
        A CSV or Parquet file with tempos or energies.
    workers : Workers
        Decoding processes, for playlists that need audio.
    decode : bool
        False: no audio is opened; a playlist that needs it is an error.
    progress : Progress
        Called while audio is analyzed.
    """

    def __init__(
        self,
        library: Generation,
        *,
        source: PlaylistSource | None = None,
        facts: str | None = None,
        workers: Workers | None = None,
        decode: bool = True,
        progress: Progress = lambda what, done, total: None,
    ):
        self.library = library
        self._given = source
        self._facts = facts
        self._workers = (workers or Workers()) if decode else None
        self._progress = progress

    def make(
        self, waypoints: Sequence[str], options: PlaylistOptions, filters: Filters | None = None
    ) -> PlaylistAnswer:
        """Make a playlist from the first waypoint through the others to the last.

        Parameters
        ----------
        waypoints : sequence of str
            track_ids or titles.
        options : PlaylistOptions
        filters : Filters, optional
            Only matching tracks are picked; waypoints need not match.

        Raises
        ------
        SearchError
            If a waypoint is unknown or has no embedding, if too few tracks are left, if `options.strict` is set and
            rules contradict each other, or if audio is needed that may not be opened.
        AudioError
            If the audio of a waypoint is needed and cannot be read.
        """
        rows = [self._row(waypoint) for waypoint in waypoints]
        passed, shown = self._passing(filters)
        tracks, notes = self._values.complete(self._tracks(passed, shown), rows, options)
        playlist = make_playlist(tracks, rows, options)
        document = self._document(playlist, tracks, options, notes)
        for entry in document["entries"]:
            if not entry["waypoint"]:
                entry |= shown.get(entry["track_id"], {})
        return PlaylistAnswer(playlist, document, self.vectors.vectors)

    def tracks(self, filters: Filters | None = None) -> PlaylistTracks:
        """List the embedded tracks; those that pass the filters may be picked."""
        return self._tracks(*self._passing(filters))

    def _passing(self, filters: Filters | None) -> tuple[np.ndarray, dict[str, dict[str, Any]]]:
        """Which tracks of the catalog pass, and which byte-identical ones are shown instead of embedded tracks."""
        passed = matching(self.library.columns, filters or Filters())
        return passed, substitutes(self.library.tracks, passed)

    def _tracks(self, passed: np.ndarray, shown: Mapping[str, object]) -> PlaylistTracks:
        metadata = self.vectors.metadata
        allowed = passed[self._catalog_rows]
        if shown:
            allowed = allowed | np.isin(metadata.ids, [*shown])
        durations_s = self._catalog["duration_s"].to_numpy()
        known, groups = self._values.known, self._source.groups
        return PlaylistTracks(self.vectors.vectors, metadata.artists, durations_s, allowed, known, groups=groups)

    @cached_property
    def vectors(self) -> TrackVectors:
        """The embeddings with their metadata; a row of a playlist is a row of these."""
        return self._source.vectors

    @cached_property
    def _source(self) -> PlaylistSource:
        return self._given or all_tracks(self.library)

    @cached_property
    def _ids(self) -> TrackIds:
        return TrackIds(pa.array(self.vectors.metadata.ids, pa.string()))

    @cached_property
    def _catalog_rows(self) -> np.ndarray:
        return self.library.lookup.rows_of(self.vectors.metadata.ids.tolist())

    @cached_property
    def _catalog(self) -> pa.Table:
        """The catalog's rows of the embedded tracks, in the order of `vectors`."""
        return self.library.tracks.take(pa.array(self._catalog_rows))

    @cached_property
    def _values(self) -> TrackValues:
        contents = self._catalog["content_hash"]
        values = self._source.values
        return TrackValues(self.library, self.vectors, contents, values, self._facts, self._workers, self._progress)

    def _row(self, waypoint: str) -> int:
        """Find the row of a waypoint."""
        try:
            track = self.library.find(waypoint)
        except SearchError as error:
            if not Path(waypoint).is_file():
                raise
            raise SearchError(
                f"{waypoint} is an audio file, but a playlist contains only tracks of {self.library.tracks_ref}; find "
                "the nearest track with `audioae similar`"
            ) from error
        row = self._ids.row_of(str(track.duplicate_of or track.track_id))
        if row < 0:
            self.library.embedding_of(track)  # raises with the reason why it has none
            raise AssertionError(f"{track.track_id} is embedded and missing from {self.vectors.name}")
        return row

    def _document(
        self, playlist: Playlist, tracks: PlaylistTracks, options: PlaylistOptions, notes: Sequence[str]
    ) -> dict[str, Any]:
        entries = [self._entry(playlist, tracks, position) for position in range(len(playlist.rows))]
        return {
            "name": " to ".join(entries[i]["title"] for i in playlist.waypoints),
            "n": len(entries),
            "duration_s": sum(entry["duration_s"] or 0.0 for entry in entries),
            "gave_way": playlist.relaxed,
            "smoothness": playlist.smoothness,
            "notes": list(notes),
            "entries": entries,
            "options": options.model_dump(mode="json"),
            "embeddings": str(self.library.embeddings_ref),
            "model": str(self.library.model_ref),
        }

    def _entry(self, playlist: Playlist, tracks: PlaylistTracks, position: int) -> dict[str, Any]:
        row = int(playlist.rows[position])
        values = {name: float(column[row]) for name, column in tracks.values.items()}
        return {
            "position": position + 1,
            **{name: self._catalog[name][row].as_py() for name in SHOWN},
            "title": self.vectors.titles[row],
            **{name: value if np.isfinite(value) else None for name, value in values.items()},
            "step": float(playlist.steps[position - 1]) if position else None,
            "off_path": float(playlist.off_path[position]),
            "waypoint": position in playlist.waypoints,
            "address": address_of(self.vectors.paths[row]),
        }
