"""Playlists over a store: whose tracks, which energies and tempos, how tracks begin and end, and what is handed out.

Conventions
-----------
- Energy is the RMS level in dBFS of `health`, tempo librosa's estimate in BPM; a file of facts (columns track_id or
  path, and tempo, tempo_bpm, bpm or energy) comes before both, in its own units.
- What has to be heard (tempo without a file, seamless order) is heard for the `HEARD` tracks nearest to the path, and
  the playlist is made from those. Tempos are kept in the store (`playlists.tempos`): they are heard once.
- Copies are near duplicates, as an index of the same embeddings knows them; of those of the same bytes one is embedded.
- Of tracks of the same bytes the one that passes the filters is shown.
- An external file cannot be a waypoint: a playlist holds tracks of the catalog.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from audioae.audio.workers import imap_killable
from audioae.errors import AudioError, SearchError
from audioae.library.duplicates import SHOWN, known_copies, substitutes
from audioae.library.filters import Filters, matching
from audioae.library.generation import Generation
from audioae.library.track_vectors import TrackVectors, vectors_from_store
from audioae.library.truth import read_truth
from audioae.pipeline.config import Workers
from audioae.playlists.edges import analyze_edges
from audioae.playlists.options import PlaylistOptions
from audioae.playlists.pool import Tracks, corridor
from audioae.playlists.tempos import Tempos
from audioae.playlists.walk import Playlist, make_playlist
from audioae.progress import Progress

HEARD = 240
COLUMNS = ("tempo", "tempo_bpm", "bpm", "energy")


@dataclass(frozen=True)
class PlaylistAnswer:
    """A playlist, its `document` for people and programs, and what is needed to draw it."""

    playlist: Playlist
    document: dict[str, Any]
    embeddings: np.ndarray


class Playlists:
    """Playlists over one version of a store's embeddings.

    Parameters
    ----------
    library : Generation
    facts : str or None
        A CSV or Parquet file of tempos and energies.
    workers : Workers
        How tracks are decoded where they have to be heard.
    report : callable
        Told (what, done, of how many) while tracks are heard.
    """

    def __init__(
        self,
        library: Generation,
        *,
        facts: str | None = None,
        workers: Workers | None = None,
        report: Progress = lambda what, done, total: None,
    ):
        self.library = library
        self._facts = facts
        self._workers = workers or Workers()
        self._report = report

    def make(
        self, waypoints: Sequence[str], options: PlaylistOptions, filters: Filters | None = None
    ) -> PlaylistAnswer:
        """The playlist from the first waypoint to the last, each a track_id or a title.

        Raises
        ------
        SearchError
            If a waypoint is no track or has no embedding, if filters or length leave nothing, or if rules exclude each
            other and `options.strict`.
        """
        rows = [self._row(waypoint) for waypoint in waypoints]
        tracks, notes = self._with_values(self.tracks(filters), rows, options)
        playlist = make_playlist(tracks, rows, options)
        document = self._document(playlist, tracks, options, notes)
        shown = substitutes(self.library.tracks, matching(self.library.tracks, filters or Filters()))
        for entry in document["entries"]:
            if not entry["waypoint"]:
                entry |= shown.get(entry["track_id"], {})
        return PlaylistAnswer(playlist, document, self.subject.vectors)

    @cached_property
    def subject(self) -> TrackVectors:
        return vectors_from_store(self.library.store, self.library.embeddings_ref)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {track_id: row for row, track_id in enumerate(self.subject.metadata.ids.tolist())}

    @cached_property
    def _metadata(self) -> dict[str, list[Any]]:
        """Columns of the catalog in the order of the subject's rows."""
        tracks = self.library.tracks
        at = {track_id: i for i, track_id in enumerate(tracks["track_id"].to_pylist())}
        rows = [at[track_id] for track_id in self.subject.metadata.ids]
        return {**tracks.take(rows).to_pydict(), "title": list(self.subject.titles)}

    @cached_property
    def _known(self) -> Mapping[str, np.ndarray]:
        """Tempo and energy as far as they are known without hearing the tracks."""
        store, ref = self.library.store, self.library.embeddings_ref
        health = store.read(store.manifest(ref).parent("health"), ["track_id", "rms_dbfs"])
        energy = np.full(self.subject.metadata.n, np.nan)
        for track_id, level in zip(health["track_id"].to_pylist(), health["rms_dbfs"].to_pylist(), strict=True):
            if track_id in self._place and level is not None:
                energy[self._place[track_id]] = level
        known = {"energy": energy}
        if self._facts:
            targets, _ = read_truth(self._facts, self.subject)
            for name in reversed(COLUMNS):
                if name in targets:
                    known["energy" if name == "energy" else "tempo"] = targets[name].values
        return known

    def _row(self, waypoint: str) -> int:
        try:
            track = self.library.find(waypoint)
        except SearchError as error:
            if not Path(waypoint).is_file():
                raise
            raise SearchError(
                f"{waypoint} is a file and no track of {self.library.tracks_ref}, of which playlists are made; "
                f"`audioae similar` finds the track nearest to it"
            ) from error
        row = self._place.get(str(track.duplicate_of or track.track_id))
        if row is None:
            self.library.embedding_of(track)  # which says why there is none
            raise AssertionError(f"{track.track_id} is embedded and not in {self.subject.name}")
        return row

    def tracks(self, filters: Filters | None = None) -> Tracks:
        """The embedded tracks, of which those that pass may be picked."""
        facts, passed = self.subject.metadata, matching(self.library.tracks, filters or Filters())
        usable = {*self.library.tracks["track_id"].to_numpy()[passed], *substitutes(self.library.tracks, passed)}
        allowed = np.array([track_id in usable for track_id in facts.ids], bool)
        durations_s = np.array(self._metadata["duration_s"], dtype=float)
        vectors, groups = self.subject.vectors, self._recordings
        return Tracks(vectors, facts.artists, durations_s, allowed, self._known, groups=groups)

    @cached_property
    def _recordings(self) -> np.ndarray:
        """A number (n,) per recording, which copies share."""
        keepers = known_copies(self.library.store, self.library.embeddings_ref).keepers
        recordings = np.array([keepers.get(str(track_id), str(track_id)) for track_id in self.subject.metadata.ids])
        return np.unique(recordings, return_inverse=True)[1]

    def _with_values(
        self, tracks: Tracks, waypoints: Sequence[int], options: PlaylistOptions
    ) -> tuple[Tracks, tuple[str, ...]]:
        """The tracks with what the options ask for; where that has to be heard, only those that were."""
        missing = "tempo" in options.curves and "tempo" not in tracks.values
        if not missing and not options.seamless:
            return tracks, ()
        rows = corridor(tracks, waypoints, options.model_copy(update={"tempo": type(options.tempo)()}), HEARD)
        kept, contents = Tempos(self.library.store, self.library.mels_config), self._metadata["content_hash"]
        tempos = {int(row): kept.known[contents[row]] for row in rows if contents[row] in kept.known}
        heard, failures = self._hear(rows if options.seamless else rows[[int(row) not in tempos for row in rows]])
        found = {row: heard[row].tempo for row in heard}
        unkept = kept.keep({contents[row]: tempo for row, tempo in found.items() if contents[row]})
        tempos |= found
        usable = list(heard if options.seamless else tempos)
        if lost := [row for row in waypoints if row not in usable]:
            raise AudioError("unreadable", f"{self.subject.uris[lost[0]]}: a waypoint cannot be read again; restore it")
        allowed = np.zeros(len(tracks.allowed), bool)
        allowed[usable] = tracks.allowed[usable]
        values = dict(tracks.values)
        if missing:
            values["tempo"] = np.full(len(allowed), np.nan)
            values["tempo"][usable] = [tempos[row] for row in usable]
        notes = [f"made from the {len(usable)} tracks nearest to the path, which were listened to"]
        notes += [f"{len(failures)} tracks cannot be read again, the first: {failures[0]}"] if failures else []
        notes += [unkept] if unkept else []
        return replace(tracks, allowed=allowed, values=values, edges=self._edges(heard)), tuple(notes)

    def _hear(self, rows: np.ndarray) -> tuple[dict[int, Any], list[str]]:
        config = self.library.mels_config
        items = ((int(row), (self.subject.uris[row], config.clips, config.decode)) for row in rows)
        heard, failures = {}, []
        for row, result in imap_killable(
            analyze_edges, items, workers=self._workers.n, timeout_s=self._workers.timeout_s
        ):
            if isinstance(result, AudioError):
                failures.append(f"{self.subject.uris[int(str(row))]}: {result}")
            else:
                heard[int(str(row))] = result
            self._report("hearing", len(heard) + len(failures), len(rows))
        return heard, failures

    def _edges(self, heard: Mapping[int, Any]) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        place = {row: i for i, row in enumerate(heard)}

        def edges(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            codes = np.concatenate([found.edges for found in heard.values()])
            found = self.library.embedder.embed(codes)[0]
            found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
            chosen = np.array([place[int(row)] for row in rows])
            return found[2 * chosen], found[2 * chosen + 1]

        return edges

    def _document(
        self, playlist: Playlist, tracks: Tracks, options: PlaylistOptions, notes: Sequence[str]
    ) -> dict[str, Any]:
        entries = [self._entry(playlist, tracks, position) for position in range(len(playlist.rows))]
        return {
            "name": " to ".join(entries[i]["title"] for i in playlist.waypoints),
            "n": len(entries),
            "duration_s": sum(entry["duration_s"] or 0.0 for entry in entries),
            "gave_way": playlist.gave_way,
            "smoothness": playlist.smoothness,
            "notes": list(notes),
            "entries": entries,
            "options": options.model_dump(mode="json"),
            "embeddings": str(self.library.embeddings_ref),
            "model": str(self.library.model_ref),
        }

    def _entry(self, playlist: Playlist, tracks: Tracks, position: int) -> dict[str, Any]:
        row = int(playlist.rows[position])
        values = {name: float(found[row]) for name, found in tracks.values.items()}
        return {
            "position": position + 1,
            **{name: self._metadata[name][row] for name in SHOWN},
            **{name: value if np.isfinite(value) else None for name, value in values.items()},
            "step": float(playlist.steps[position - 1]) if position else None,
            "off_path": float(playlist.off_path[position]),
            "waypoint": position in playlist.waypoints,
        }
