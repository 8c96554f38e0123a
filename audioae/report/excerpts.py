"""Tracks that a page names, and how each looks and sounds there: 3 s of its audio, or a stored mel where that is gone.

Conventions
-----------
- A track is heard from its middle clip on, or from the second that is asked for: then it has a key of its own.
- The audio of `MAX_HEARD` tracks is read, those that a section needs first, then the map's. A page keeps 12 to 15 KB
  for each.
"""

# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.audio.excerpt import Excerpt, excerpt
from audioae.audio.mel import decode_mel
from audioae.audio.workers import imap_killable
from audioae.errors import AudioError
from audioae.library.generation import Generation
from audioae.pages.shell import Key, Shown
from audioae.pipeline.clips import extraction_fingerprint, mel_codes
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.shards import iter_shards
from audioae.progress import Progress

MAX_HEARD = 600
MAX_SHARDS = 16  # that stored mels are read from where audio is gone: each is read whole

_COLUMNS = ("track_id", "uri", "title", "artist", "label", "shard")


@dataclass(frozen=True)
class _Wanted:
    track_id: str
    start_s: float | None


class Book:
    """Hands out a key for every track that the page names.

    Parameters
    ----------
    tracks : pa.Table
        The catalog.
    ids : sequence of str
        Tracks that have a row; others get a text as key.
    """

    def __init__(self, tracks: pa.Table, ids: Sequence[str] = ()):
        self._rows = {track_id: row for row, track_id in enumerate(ids)}
        self._ids = list(ids)
        self._wanted: dict[Key, _Wanted] = {}
        self._keys: dict[_Wanted, Key] = {}
        columns = tracks.select(_COLUMNS)
        self._columns = columns
        self._place = {track_id: i for i, track_id in enumerate(columns["track_id"].to_pylist())}

    def key(self, track_id: str, start_s: float | None = None) -> Key:
        """The key of a track, to be heard from a second on; the same question has the same key."""
        wanted = _Wanted(track_id, start_s)
        if wanted not in self._keys:
            row = self._rows.get(track_id) if start_s is None else None
            self._keys[wanted] = f"x{len(self._keys)}" if row is None else row
            self._wanted[self._keys[wanted]] = wanted
        return self._keys[wanted]

    def add_rows(self, rows: Iterable[int]) -> None:
        """Name tracks by their rows."""
        for row in rows:
            self.key(self._ids[row])

    def metadata(self, track_id: str) -> Mapping[str, Any]:
        """uri, title, artist, label and shard; of a track that is not in the catalog, its ID as title."""
        i = self._place.get(track_id)
        if i is None:
            return {"title": track_id, "uri": "", "artist": "", "label": "", "shard": None}
        row = {name: self._columns[name][i].as_py() for name in _COLUMNS}
        return {**row, "title": row["title"] or Path(row["uri"]).stem}

    def show(self, excerpts: Mapping[Key, Excerpt]) -> dict[Key, Shown]:
        """Everything that has a key, as the page takes it."""
        shown = {}
        for key, wanted in self._wanted.items():
            row, found = self.metadata(wanted.track_id), excerpts.get(key)
            shown[key] = Shown(
                row["title"],
                row["artist"] or "",
                row["label"] or "",
                decode_mel(found.codes) if found else None,
                (found.audio or None) if found else None,
                found.start_s if found else None,
                row["uri"],
            )
        return shown

    def hear(
        self, library: Generation, workers: Workers, report: Progress
    ) -> tuple[dict[Key, Excerpt], tuple[str, ...]]:
        """What the first `MAX_HEARD` keys look and sound like, and a sentence on those that cannot be read again."""
        known = {key: wanted for key, wanted in self._wanted.items() if wanted.track_id in self._place}
        chosen = dict(list(known.items())[:MAX_HEARD])
        uris = {key: self.metadata(wanted.track_id)["uri"] for key, wanted in chosen.items()}
        items = ((key, (uris[key], chosen[key].start_s, library.mels_config.clips)) for key in chosen)
        found: dict[Key, Excerpt] = {}
        failures: dict[Key, str] = {}
        results = imap_killable(excerpt, items, workers=workers.n, timeout_s=workers.timeout_s)
        for done, (key, result) in enumerate(results, 1):
            own: Key = key  # type: ignore[assignment]  # one of ours
            if isinstance(result, AudioError):
                failures[own] = f"{uris[own]}: {result}"
            else:
                found[own] = result
            report("audio", done, len(chosen))
        if not failures:
            return found, ()
        silent = self._stored({key: chosen[key] for key in failures}, library)
        said = (
            f"audio of {len(failures)} of {len(chosen)} excerpts cannot be read again, so they cannot be heard "
            f"({len(silent)} of them are drawn from stored mels); the first: {next(iter(failures.values()))}"
        )
        return found | silent, (said,)

    def _stored(self, wanted: Mapping[Key, _Wanted], library: Generation) -> dict[Key, Excerpt]:
        """Excerpts without sound, of the stored clips nearest to what is wanted."""
        shards = {key: self.metadata(own.track_id)["shard"] for key, own in wanted.items()}
        read = sorted({shard for shard in shards.values() if shard is not None})[:MAX_SHARDS]
        found = {}
        for shard, tracks in iter_shards(library.store, library.tracks_ref, read):
            mels = _shard_mels(library, shard, tracks, library.mels_config)
            for key, own in wanted.items():
                if mels is None or shards[key] != shard:
                    continue
                clips = mels.filter(pc.equal(mels["track_id"], own.track_id))
                starts = clips["start_s"].to_numpy()
                if len(starts):
                    near = len(starts) // 2 if own.start_s is None else int(np.abs(starts - own.start_s).argmin())
                    found[key] = Excerpt(float(starts[near]), mel_codes(clips)[near], b"")
        return found


def _shard_mels(library: Generation, shard: int, tracks: pa.Table, config: MelsConfig) -> pa.Table | None:
    name = extraction_fingerprint(shard, tracks, config)
    if not library.store.has_part("mels", name):
        return None
    return library.store.read_part("mels", name, ["track_id", "start_s", "mel"])
