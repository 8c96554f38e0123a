"""The tracks that a page names, and 3 s of each to look at and to listen to.

Conventions
-----------
- An excerpt is a track's middle clip, or starts at a given time; then the track has another key for it.
- Excerpts of at most `MAX_EXCERPTS` tracks are read: first those of the sections, then those of the map. Each takes 12
  to 15 KB in a page.
- If the audio cannot be read any more, the mel of the nearest stored clip is shown, without sound.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audioae.audio.excerpt import Excerpt, excerpt
from audioae.audio.mel import decode_mel
from audioae.audio.workers import imap_killable
from audioae.catalog.paths import path_of
from audioae.errors import AudioError
from audioae.library.catalog_columns import CatalogColumns
from audioae.library.generation import Generation
from audioae.pages.shell import Key, PageTrack
from audioae.pipeline.config import Workers
from audioae.pipeline.stored_clips import iter_stored_clips
from audioae.progress import Progress

MAX_EXCERPTS = 600
MAX_SHARDS = 16  # to read stored mels from; each shard is read as a whole

COLUMNS = ("track_id", "uri", "path_bytes", "title", "artist", "label", "shard")


@dataclass(frozen=True)
class _Request:
    track_id: str
    start_s: float | None


class PageTracks:
    """Gives a key to every track that the page names, and reads the tracks' excerpts.

    Parameters
    ----------
    tracks : CatalogColumns
    ids : sequence of str
        Tracks that have a row on the page; their key is the row. Other tracks get a text as key.
    """

    def __init__(self, tracks: CatalogColumns, ids: Sequence[str] = ()):
        self._ids = list(ids)
        self._rows = {track_id: row for row, track_id in enumerate(ids)}
        self._requests: dict[Key, _Request] = {}
        self._keys: dict[_Request, Key] = {}
        self._columns, self._catalog = tracks.tracks.select(COLUMNS), tracks.ids

    def key(self, track_id: str, start_s: float | None = None) -> Key:
        """The key of a track's excerpt from `start_s` on (None: its middle clip); the same for equal arguments."""
        request = _Request(track_id, start_s)
        if request not in self._keys:
            row = self._rows.get(track_id) if start_s is None else None
            self._keys[request] = f"x{len(self._keys)}" if row is None else row
            self._requests[self._keys[request]] = request
        return self._keys[request]

    def add_rows(self, rows: Iterable[int]) -> None:
        """Name tracks by their rows."""
        for row in rows:
            self.key(self._ids[row])

    def metadata(self, track_id: str) -> Mapping[str, Any]:
        """uri, path_bytes, title, artist, label and shard; a track that is not in the catalog has its ID as title."""
        i = self._catalog.row_of(track_id)
        if i < 0:
            return {"title": track_id, "uri": "", "path_bytes": None, "artist": "", "label": "", "shard": None}
        row = {name: self._columns[name][i].as_py() for name in COLUMNS}
        return {**row, "title": row["title"] or Path(row["uri"]).stem}

    def as_shown(self, excerpts: Mapping[Key, Excerpt]) -> dict[Key, PageTrack]:
        """Every track that has a key, with its excerpt if there is one."""
        shown = {}
        for key, request in self._requests.items():
            row, part = self.metadata(request.track_id), excerpts.get(key)
            shown[key] = PageTrack(
                title=row["title"],
                artist=row["artist"] or "",
                label=row["label"] or "",
                mel=decode_mel(part.codes) if part else None,
                clip=(part.audio or None) if part else None,
                start_s=part.start_s if part else None,
                uri=row["uri"],
            )
        return shown

    def read_excerpts(
        self, library: Generation, workers: Workers, progress: Progress
    ) -> tuple[dict[Key, Excerpt], tuple[str, ...]]:
        """Excerpts of the first `MAX_EXCERPTS` keys, and a sentence on those whose audio cannot be read."""
        known = {key: request for key, request in self._requests.items() if self._catalog.row_of(request.track_id) >= 0}
        chosen = dict(list(known.items())[:MAX_EXCERPTS])
        rows = {key: self.metadata(request.track_id) for key, request in chosen.items()}
        items = ((key, (path_of(rows[key]), chosen[key].start_s, library.mels_config.clips)) for key in chosen)
        excerpts: dict[Key, Excerpt] = {}
        failures: dict[Key, str] = {}
        results = imap_killable(excerpt, items, workers=workers.n, timeout_s=workers.timeout_s)
        for done, (item, result) in enumerate(results, 1):
            key: Key = item  # type: ignore[assignment]  # one of `chosen`
            if isinstance(result, AudioError):
                failures[key] = f"{rows[key]['uri']}: {result}"
            else:
                excerpts[key] = result
            progress("audio", done, len(chosen))
        if not failures:
            return excerpts, ()
        stored = self._stored_excerpts({key: chosen[key] for key in failures}, library)
        sentence = (
            f"the audio of {len(failures)} of {len(chosen)} excerpts cannot be read any more, so they have no sound "
            f"({len(stored)} of them show a stored mel); the first: {next(iter(failures.values()))}"
        )
        return excerpts | stored, (sentence,)

    def _stored_excerpts(self, requests: Mapping[Key, _Request], library: Generation) -> dict[Key, Excerpt]:
        """Excerpts without sound from the stored clips that are nearest to the requested times."""
        shard_of = {request.track_id: self.metadata(request.track_id)["shard"] for request in requests.values()}
        shards = set(sorted({shard for shard in shard_of.values() if shard is not None})[:MAX_SHARDS])
        wanted = {track_id: shard for track_id, shard in shard_of.items() if shard in shards}
        clips = dict(iter_stored_clips(library.store, library.tracks_ref, library.mels_config, wanted))
        excerpts = {}
        for key, request in requests.items():
            if track := clips.get(request.track_id):
                i = len(track.starts_s) // 2
                if request.start_s is not None:
                    i = int(np.abs(track.starts_s - request.start_s).argmin())
                excerpts[key] = Excerpt(float(track.starts_s[i]), track.codes[i], b"")
        return excerpts
