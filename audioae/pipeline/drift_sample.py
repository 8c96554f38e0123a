"""The tracks that drift is measured on: a sample of the training's catalog, and one of what came since.

Conventions
-----------
- New is what the training's version of `tracks` did not have. Shards that are not in it are new as a whole; of a shard
  whose part changed since, its track_ids tell. An edited or moved track is not new.
- Both samples consist of whole artists (a track without an artist is one by itself): as many shards as `MOST_SHARDS`,
  spread over all of them, and of each shard the artists with the smallest hashes up to its share of the sample.
- So the cost does not grow with the catalog: at most 128 parts of `tracks`, `embeddings` and `rejects` are read.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.pipeline.shards import shard_of
from audioae.pipeline.training_clips import hash_ids
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Manifest

MOST_SHARDS = 64


@dataclass
class TrackSample:
    """Embedded tracks, and what was rejected in the same shards.

    Attributes
    ----------
    vectors : np.ndarray, shape (n, 128), float32
    errors : np.ndarray, shape (n,), float32
    artists : np.ndarray, shape (n,), uint64
        Hashes of the artists.
    n_tracks : int
        All tracks of this kind, sampled or not.
    n_decoded : int
        Tracks of the sampled shards that were embedded or rejected.
    rejects : dict of str to int
        Of those, the rejected ones by reason.
    """

    vectors: np.ndarray
    errors: np.ndarray
    artists: np.ndarray
    n_tracks: int = 0
    n_decoded: int = 0
    rejects: dict[str, int] = field(default_factory=dict)


def sample_tracks(
    store: Store, embeddings: DatasetRef, trained: DatasetRef, n_training: int, n_new: int
) -> tuple[TrackSample, TrackSample]:
    """Sample the tracks of the training's version `trained` of `tracks`, and those that are new in `embeddings`."""
    before, manifest = _parts(store.manifest(trained)), store.manifest(embeddings)
    now = _parts(store.manifest(manifest.parent("tracks")))
    known = [shard for shard in now if shard in before]
    changed = [shard for shard in known if now[shard][0] != before[shard][0]]
    fresh = [shard for shard in now if shard not in before]
    reader = _Reader(store, manifest, {shard: before[shard][0] for shard in changed}, now)
    training = reader.read(known, n_training, want_new=False)
    new = reader.read([*changed[-MOST_SHARDS // 4 :], *fresh], n_new, want_new=True)
    training.n_tracks = sum(before[shard][1] for shard in before)
    new.n_tracks = sum(now[shard][1] for shard in fresh)
    new.n_tracks += sum(max(now[shard][1] - before[shard][1], 0) for shard in changed)
    return training, new


@dataclass
class _Reader:
    store: Store
    embeddings: Manifest
    changed: dict[int, str]
    tracks: dict[int, tuple[str, int]]

    def read(self, shards: list[int], n: int, *, want_new: bool) -> TrackSample:
        chosen = [shards[i] for i in evenly_spaced(len(shards), MOST_SHARDS)]
        share = -(-n // max(len(chosen), 1))
        parts = {dataset: _parts(self._manifest(dataset)) for dataset in ("embeddings", "rejects")}
        vectors, errors, artists = [np.empty((0, 128), np.float32)], [np.empty(0, np.float32)], [np.empty(0, np.uint64)]
        sample = TrackSample(vectors[0], errors[0], artists[0])
        for shard in chosen:
            wanted = self._tracks(shard, want_new)
            embedded = self._rows("embeddings", parts, shard, ["track_id", "embedding", "reconstruction_error"], wanted)
            rejected = self._rows("rejects", parts, shard, ["track_id", "reason"], wanted)
            sample.n_decoded += embedded.num_rows + rejected.num_rows
            for reason in pc.value_counts(rejected["reason"]).to_pylist():
                sample.rejects[reason["values"]] = sample.rejects.get(reason["values"], 0) + reason["counts"]
            groups = _artists(wanted, embedded["track_id"])
            rows = _whole_groups(groups, share)
            table = embedded.take(pa.array(rows)).combine_chunks()
            vectors.append(_vectors(table))
            errors.append(table["reconstruction_error"].to_numpy().astype(np.float32))
            artists.append(groups[rows])
        sample.vectors, sample.errors = np.concatenate(vectors), np.concatenate(errors)
        sample.artists = np.concatenate(artists)
        return sample

    def _manifest(self, dataset: str) -> Manifest:
        return self.embeddings if dataset == "embeddings" else self.store.manifest(self.embeddings.parent(dataset))

    def _tracks(self, shard: int, want_new: bool) -> pa.Table:
        """The track_id and artist of the shard's tracks that are new, or those that are not."""
        table = self.store.read_part("tracks", self.tracks[shard][0], ["track_id", "artist"])
        if shard not in self.changed:
            return table
        older = self.store.read_part("tracks", self.changed[shard], ["track_id"])["track_id"]
        is_old = pc.is_in(table["track_id"], value_set=older.combine_chunks())
        return table.filter(pc.invert(is_old) if want_new else is_old)

    def _rows(self, dataset: str, parts: dict, shard: int, columns: list[str], wanted: pa.Table) -> pa.Table:
        """The rows of one shard's part that belong to the wanted tracks."""
        if shard not in parts[dataset]:
            return self.store.read_part(dataset, next(iter(parts[dataset].values()))[0], columns).slice(0, 0)
        table = self.store.read_part(dataset, parts[dataset][shard][0], columns)
        return table.filter(pc.is_in(table["track_id"], value_set=wanted["track_id"].combine_chunks()))


def _parts(manifest: Manifest) -> dict[int, tuple[str, int]]:
    """The fingerprint and the rows of each shard's part."""
    return {shard_of(part.name): (part.name.removesuffix(".parquet"), part.rows or 0) for part in manifest.parts}


def _artists(tracks: pa.Table, track_ids: pa.ChunkedArray) -> np.ndarray:
    """The hash of the artist of each of `track_ids`, or of the track_id if there is none; shape (n,), uint64."""
    rows = pc.index_in(track_ids, value_set=tracks["track_id"].combine_chunks())
    names = pc.coalesce(tracks["artist"].take(rows), track_ids)
    return hash_ids(pa.concat_arrays(names.chunks) if names.num_chunks else pa.array([], pa.string()))


def _whole_groups(groups: np.ndarray, n: int) -> np.ndarray:
    """The rows of the groups with the smallest numbers that have about `n` rows, ascending."""
    numbers, sizes = np.unique(groups, return_counts=True)
    needed = int(np.searchsorted(np.cumsum(sizes), n)) + 1
    return np.flatnonzero(np.isin(groups, numbers[:needed]))


def _vectors(table: pa.Table) -> np.ndarray:
    if not table.num_rows:
        return np.empty((0, 128), np.float32)
    column = table["embedding"].combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    return column.flatten().to_numpy().reshape(table.num_rows, -1).astype(np.float32)
