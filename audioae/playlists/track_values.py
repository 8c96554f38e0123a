"""Values of tracks that rules and transitions need: energy, tempo, and embeddings of the first and last clips.

Conventions
-----------
- Energy is the RMS level in dBFS from `health`, tempo is librosa's estimate in BPM. A file of facts (columns track_id
  or path, and tempo, tempo_bpm, bpm or energy) overrides both, in its own units.
- Tempos without a file, and transitions, need the audio. It is analyzed for the `MAX_ANALYZED` tracks nearest to the
  path, and the playlist is made from those. Tempos are saved in the store (`playlists.tempos`) and reused.
- Without decoding (`workers` is None) only what is stored counts: a tempo curve needs the saved tempos of the
  waypoints, and is followed through tracks whose tempo is saved; transitions are an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from audioae.catalog.paths import displayed
from audioae.errors import AudioError, SearchError
from audioae.library.generation import Generation
from audioae.library.track_vectors import TrackVectors
from audioae.library.truth import read_truth
from audioae.pipeline.config import Workers
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.pool import Edges, PlaylistTracks, corridor
from audioae.playlists.tempos import Tempos
from audioae.progress import Progress

if TYPE_CHECKING:
    from audioae.playlists.edges import TrackEdges

MAX_ANALYZED = 240
COLUMNS = ("tempo", "tempo_bpm", "bpm", "energy")


class TrackValues:
    """Energy, tempo and edges of a store's tracks.

    Parameters
    ----------
    library : Generation
    vectors : TrackVectors
        The embedded tracks; rows refer to them.
    contents : pa.ChunkedArray, length n
        Content hash of each track.
    stored : mapping of curve name to np.ndarray, shape (n,)
        What is known without analyzing audio; NaN where unknown.
    facts : str or None
        A CSV or Parquet file with tempos or energies.
    workers : Workers or None
        Decoding processes; None: no audio is opened.
    progress : Progress
    """

    def __init__(
        self,
        library: Generation,
        vectors: TrackVectors,
        contents: pa.ChunkedArray,
        stored: Mapping[str, np.ndarray],
        facts: str | None,
        workers: Workers | None,
        progress: Progress,
    ):
        self._library, self._vectors, self._contents, self._stored = library, vectors, contents, stored
        self._facts, self._workers, self._progress = facts, workers, progress

    @cached_property
    def known(self) -> Mapping[str, np.ndarray]:
        """Energy and perhaps tempo, known without analyzing audio: arrays (n,), NaN where unknown."""
        known = dict(self._stored)
        if self._facts:
            targets, _ = read_truth(self._facts, self._vectors)
            for name in reversed(COLUMNS):
                if name in targets:
                    known["energy" if name == "energy" else "tempo"] = targets[name].values
        return known

    def complete(
        self, tracks: PlaylistTracks, waypoints: Sequence[int], options: PlaylistOptions
    ) -> tuple[PlaylistTracks, tuple[str, ...]]:
        """Add the values that the options need; if that takes audio, allow only the analyzed tracks.

        Returns
        -------
        tracks : PlaylistTracks
        notes : tuple of str
            Sentences about the analysis.

        Raises
        ------
        SearchError
            If audio is needed that may not be opened.
        AudioError
            If the audio of a waypoint is needed and cannot be read.
        """
        if self._workers is None:
            self._check_stored(tracks, waypoints, options)
            return tracks, ()
        needs_tempo = "tempo" in options.curves and "tempo" not in tracks.values
        if not needs_tempo and not options.seamless:
            return tracks, ()
        rows = corridor(tracks, waypoints, options.model_copy(update={"tempo": Curve()}), MAX_ANALYZED)
        saved = Tempos(self._library.store, self._library.mels_config)
        contents = {int(row): self._contents[int(row)].as_py() for row in rows}
        tempos = {row: saved.known[content] for row, content in contents.items() if content in saved.known}
        analyzed, failures = self._analyze(rows if options.seamless else rows[[int(row) not in tempos for row in rows]])
        new = {row: edges.tempo for row, edges in analyzed.items()}
        problem = saved.save({contents[row]: tempo for row, tempo in new.items() if contents[row]})
        tempos |= new
        usable = list(analyzed if options.seamless else tempos)
        if lost := [row for row in waypoints if row not in usable]:
            path = displayed(self._vectors.paths[lost[0]])
            raise AudioError("unreadable", f"{path}: the audio of this waypoint is missing; restore the file")
        allowed = np.zeros(len(tracks.allowed), bool)
        allowed[usable] = tracks.allowed[usable]
        values = dict(tracks.values)
        if needs_tempo:
            values["tempo"] = np.full(len(allowed), np.nan)
            values["tempo"][usable] = [tempos[row] for row in usable]
        notes = [f"made from the {len(usable)} tracks nearest to the path, whose audio was analyzed"]
        notes += [f"{len(failures)} tracks cannot be read, the first: {failures[0]}"] if failures else []
        notes += [problem] if problem else []
        return replace(tracks, allowed=allowed, values=values, edges=self._edges(analyzed)), tuple(notes)

    def _check_stored(self, tracks: PlaylistTracks, waypoints: Sequence[int], options: PlaylistOptions) -> None:
        """Raise `SearchError` if the options need more than the stored values."""
        if options.seamless:
            raise SearchError(
                "seamless: needs the first and last clips of the tracks near the path, which are not stored; leave it "
                "out, or run `audioae playlist --seamless` where the audio is"
            )
        if "tempo" not in options.curves:
            return
        tempo = tracks.values.get("tempo", np.full(len(tracks.embeddings), np.nan))
        if lost := [str(self._vectors.metadata.ids[row]) for row in waypoints if np.isnan(tempo[row])]:
            raise SearchError(
                f"tempo: {np.isfinite(tempo).sum()} of the {len(tempo)} tracks near the path have a stored tempo, and "
                f"the waypoints {', '.join(lost)} have none; leave tempo out, or run `audioae playlist --tempo ...` "
                "where the audio is, which stores them"
            )

    def _analyze(self, rows: np.ndarray) -> tuple[dict[int, "TrackEdges"], list[str]]:
        """Analyze the audio of the rows; returns what was analyzed by row, and the errors."""
        from audioae.audio.workers import imap_killable
        from audioae.playlists.edges import analyze_edges

        config, paths = self._library.mels_config, self._vectors.paths
        items = ((int(row), (paths[row], config.clips, config.decode)) for row in rows)
        analyzed, failures = {}, []
        assert self._workers is not None
        results = imap_killable(analyze_edges, items, workers=self._workers.n, timeout_s=self._workers.timeout_s)
        for row, (_, result) in zip(rows.tolist(), results, strict=True):
            if isinstance(result, AudioError):
                failures.append(f"{displayed(paths[int(row)])}: {result}")
            else:
                analyzed[row] = result
            self._progress("analyzing audio", len(analyzed) + len(failures), len(rows))
        return analyzed, failures

    def _edges(self, analyzed: Mapping[int, "TrackEdges"]) -> Edges:
        place = {row: i for i, row in enumerate(analyzed)}

        def edges(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            codes = np.concatenate([track.edges for track in analyzed.values()])
            embedder = self._library.embedder
            embeddings = embedder.pool_each(embedder.embed(codes)[0])
            chosen = np.array([place[int(row)] for row in rows])
            return embeddings[2 * chosen], embeddings[2 * chosen + 1]

        return edges
