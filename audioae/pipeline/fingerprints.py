"""Fingerprints of tracks, from stored clips or else from their files; and which of many pairs are the same recording.

Conventions
-----------
- Many fingerprints wait in a file that is deleted afterwards (8 KB a track): memory does not grow with them, and each
  shard's mels are read once.
"""

import tempfile
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.catalog.paths import path_of
from audioae.config import parse_config
from audioae.constants import N_FRAMES
from audioae.errors import AudioError
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.shards import iter_shards
from audioae.pipeline.stored_clips import iter_stored_clips, shards_of
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

if TYPE_CHECKING:
    from audioae.audio.fingerprint import Fingerprint

ONE = Workers()


def read_fingerprints(
    store: Store, embeddings: DatasetRef, track_ids: Iterable[str], workers: Workers = ONE
) -> "dict[str, Fingerprint]":
    """Fingerprints of a few tracks; without tracks that fail to decode."""
    return dict(iter_fingerprints(store, embeddings, set(track_ids), workers))


def iter_fingerprints(
    store: Store, embeddings: DatasetRef, track_ids: Collection[str], workers: Workers
) -> "Iterator[tuple[str, Fingerprint]]":
    """Yield (track_id, fingerprint) of tracks: first those whose clips are stored, then those that were decoded."""
    if not track_ids:
        return
    from audioae.audio.fingerprint import fingerprint_clips, fingerprint_file
    from audioae.audio.workers import imap_killable

    manifest = store.manifest(embeddings)
    tracks = manifest.parent("tracks")
    config = parse_config(MelsConfig, manifest.config["mels"], where=str(embeddings))
    missing = shards_of(store, tracks, track_ids)
    for track_id, clips in iter_stored_clips(store, tracks, config, dict(missing)):
        del missing[track_id]
        yield track_id, fingerprint_clips(clips.codes, clips.starts_s)
    files = ((row["track_id"], (path_of(row), config.clips, config.decode)) for row in _rows(store, tracks, missing))
    for track_id, result in imap_killable(fingerprint_file, files, workers=workers.n, timeout_s=workers.timeout_s):
        if not isinstance(result, AudioError):
            yield str(track_id), result


def same_recordings(
    store: Store, embeddings: DatasetRef, track_ids: pa.StringArray, pairs: np.ndarray, workers: Workers
) -> tuple[np.ndarray, np.ndarray]:
    """Those pairs of rows of `track_ids` that are the same recording, and their similarities.

    Parameters
    ----------
    pairs : np.ndarray, shape (m, 2), int64

    Returns
    -------
    pairs : np.ndarray, shape (m_same, 2), int64
    similarities : np.ndarray, shape (m_same,), float32
    """
    from audioae.audio.fingerprint import N_BANDS, N_CLIPS, Fingerprint, is_same, similarity

    rows = np.unique(pairs)
    names = track_ids.take(pa.array(rows))
    place = {name: at for at, name in enumerate(names.to_pylist())}
    n_clips, starts_s = np.zeros(len(rows), np.int8), np.zeros((len(rows), N_CLIPS))
    similarities = np.zeros(len(pairs), np.float32)
    with tempfile.TemporaryFile() as file:
        levels = np.memmap(file, np.uint8, "w+", shape=(max(len(rows), 1), N_CLIPS, N_BANDS, N_FRAMES))
        for track_id, fingerprint in iter_fingerprints(store, embeddings, place.keys(), workers):
            at, n = place[track_id], len(fingerprint.levels)
            n_clips[at], levels[at, :n], starts_s[at, :n] = n, fingerprint.levels, fingerprint.starts_s
        for number, (a, b) in enumerate(np.searchsorted(rows, pairs)):
            if n_clips[a] and n_clips[b]:
                one, other = (Fingerprint(levels[at, : n_clips[at]], starts_s[at, : n_clips[at]]) for at in (a, b))
                if is_same(one, other):
                    similarities[number] = similarity(one, other)
    return pairs[similarities > 0], similarities[similarities > 0]


def _rows(store: Store, tracks: DatasetRef, shard_of_track: dict[str, int]) -> Iterator[dict]:
    """Where the files of tracks are, shard by shard."""
    wanted: dict[int, list[str]] = {}
    for track_id, shard in shard_of_track.items():
        wanted.setdefault(shard, []).append(track_id)
    for shard, table in iter_shards(store, tracks, wanted):
        ids = pa.array(wanted[shard], pa.string())
        table = table.select(["track_id", "uri", "path_bytes"])
        yield from table.filter(pc.is_in(table["track_id"], value_set=ids)).to_pylist()
