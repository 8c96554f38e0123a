"""Which clips a model is trained on: all of them, those of a sample of tracks, or a stream of all of them.

Conventions
-----------
- All: up to `train.max_clips` clips. A sample: the tracks with the smallest hashes of their track_id, as many as have
  up to `max_clips` clips together. A stream: if `max_clips` is null, or more than half of the free memory would hold.
- Whole tracks are taken, from all shards. A catalog that grows keeps the part of its sample that still fits.
- A track's number is its place among the sorted track_ids of all or of the sample. Of a stream it is the hash.
- Memory is that of the clips once: they are copied into one array, group by group. The column track_id of several parts
  is read at a time; it is one request for each group of an object store.

Why hashes and not random numbers: the same track has the same hash in every run and on every machine. Taking the parts
in their order instead gave a model of the artists A to L.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.constants import N_BINS, N_FRAMES, N_MELS
from audioae.errors import StoreError
from audioae.model.data import ClipSet, held_out_tracks, is_held_out, mix64
from audioae.pipeline.clips import mel_codes
from audioae.pipeline.mel_groups import GROUP_ROWS, open_mels
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Part
from audioae.store.parallel import map_parallel

COLUMNS = ("track_id", "peak_db", "mel")
MEMORY_SHARE = 0.5  # of the free memory that clips may take
MOST_HELD_OUT = 100_000  # tracks of a stream

Kind = Literal["all", "sample", "stream"]


class Sample(NamedTuple):
    """The tracks whose hash is below `limit` (None: all tracks), and how many clips they have."""

    limit: np.uint64 | None
    n_clips: int


def kind_of_clips(store: Store, mels: DatasetRef, max_clips: int | None, free_bytes: int | None = None) -> Kind:
    """How the clips of `mels` are trained on; `free_bytes` of memory default to what this machine has."""
    rows = store.manifest(mels).rows
    if max_clips is None:
        return "stream"
    if min(rows, max_clips) * N_BINS > MEMORY_SHARE * (free_bytes if free_bytes is not None else free_memory()):
        return "stream"
    return "all" if rows <= max_clips else "sample"


def free_memory() -> int:
    """Bytes that this machine, or the container that this process is in, can give away."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    free, limit = int(lines["MemAvailable"].split()[0]) * 1024, Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="ascii").strip() if limit.exists() else "max"
    return free if text == "max" else min(free, int(text))


def load_clips(store: Store, mels: DatasetRef, max_clips: int) -> tuple[ClipSet, np.ndarray]:
    """Load all clips, or those of a sample of tracks, and the track_id of each track number."""
    sample = choose_tracks(store, mels, max_clips)
    if not sample.n_clips:
        raise StoreError(f"{mels} holds no clips to train on; `audioae coverage` shows the reasons of rejection")
    codes = np.empty((sample.n_clips, N_MELS, N_FRAMES), np.uint8)
    peaks, track_ids = np.empty(sample.n_clips, np.float32), []
    row = 0
    for table in iter_sample(store, mels, sample):
        end = row + table.num_rows
        codes[row:end], peaks[row:end] = mel_codes(table), table["peak_db"].to_numpy()
        track_ids.append(table["track_id"].to_numpy())
        row = end
    names, track = np.unique(np.concatenate(track_ids), return_inverse=True)
    return ClipSet(codes, peaks, track.astype(np.int64)), names


def choose_tracks(store: Store, mels: DatasetRef, max_clips: int) -> Sample:
    """Choose whole tracks with at most `max_clips` clips together (but at least one track), by their hashes.

    Only the column track_id is read, and only if there are more than `max_clips` clips.
    """
    rows = store.manifest(mels).rows
    if rows <= max_clips:
        return Sample(None, rows)
    hashes, counts, limit = np.empty(0, np.uint64), np.empty(0, np.int64), None
    for found in _hashes(store, mels):
        new, n = found if limit is None else (found[0][found[0] < limit], found[1][found[0] < limit])
        hashes, counts = np.append(hashes, new), np.append(counts, n)
        order = np.argsort(hashes)
        hashes, counts = hashes[order], counts[order]
        kept = max(int(np.searchsorted(np.cumsum(counts), max_clips, side="right")), 1)
        if kept < len(hashes):
            hashes, counts, limit = hashes[:kept], counts[:kept], hashes[kept]
    return Sample(limit, int(counts.sum()))


def iter_sample(store: Store, mels: DatasetRef, sample: Sample, columns: Sequence[str] = COLUMNS) -> Iterator[pa.Table]:
    """Yield the rows of all tracks, or of a sample of them, group by group."""
    parts, limit = store.manifest(mels).parts, sample.limit
    if limit is None:
        for part in parts:
            yield from store.part_blocks("mels", part.name.removesuffix(".parquet"), columns, rows=GROUP_ROWS)
        return
    for part, chosen in zip(parts, map_parallel(lambda part: _is_chosen(store, part, limit), parts), strict=True):
        wanted = np.unique(np.flatnonzero(chosen) // GROUP_ROWS).tolist()
        if not wanted:
            continue
        with open_mels(store, part) as groups:
            for group, table in zip(wanted, groups.read(wanted, columns), strict=True):
                mask = chosen[group * GROUP_ROWS : (group + 1) * GROUP_ROWS]
                yield table.filter(pa.array(mask))


def held_out_ids(store: Store, model: DatasetRef) -> set[str]:
    """The track_ids that were held out from the training of `model`; of a stream, at most 100,000 of them."""
    manifest = store.manifest(model)
    mels, held_out = manifest.parent("mels"), manifest.config["train"]["held_out"]
    kind = manifest.config.get("clips") or "first shards"
    if kind == "stream":
        return _held_out_of_stream(store, mels, held_out)
    max_clips = manifest.config["train"]["max_clips"]
    ids = _first_ids(store, mels, max_clips) if kind == "first shards" else _sampled_ids(store, mels, max_clips)
    names = np.unique(np.concatenate([np.asarray(column.to_numpy(zero_copy_only=False)) for column in ids]))
    return set(names[held_out_tracks(np.arange(len(names)), held_out)].tolist())


def hash_ids(ids: pa.Array) -> np.ndarray:
    """Hash each string to 64 bits, shape (n,), uint64: the same on every machine.

    >>> a, b, again = hash_ids(pa.array(["a", "b", "a"])).tolist()
    >>> a == again == hash_ids(pa.array(["a"])).item(), a == b
    (True, False)
    """
    if not len(ids):
        return np.empty(0, np.uint64)
    ids = ids.cast(pa.large_binary())
    _, offsets, content = ids.buffers()
    ends = np.frombuffer(offsets, np.int64)[ids.offset : ids.offset + len(ids) + 1]
    lengths = np.diff(ends)
    n_words = int(lengths.max()) // 8 + 1
    padded = np.zeros((len(ids), 8 * n_words), np.uint8)
    padded[np.arange(8 * n_words) < lengths[:, None]] = np.frombuffer(content, np.uint8)[ends[0] : ends[-1]]
    hashes = mix64(lengths.astype(np.uint64))
    for i, word in enumerate(padded.view("<u8").T):
        hashes = np.where(8 * i < lengths, mix64(hashes ^ word), hashes)
    return hashes


def hash_column(ids: pa.ChunkedArray) -> np.ndarray:
    """`hash_ids` of a column in which the same strings follow each other; shape (n,), uint64."""
    whole = pa.concat_arrays(ids.chunks) if ids.num_chunks else pa.array([], pa.string())
    encoded = whole.dictionary_encode()
    return hash_ids(encoded.dictionary)[encoded.indices.to_numpy()]


def _is_chosen(store: Store, part: Part, limit: np.uint64) -> np.ndarray:
    """Whether each row of a part is of a track below `limit`; shape (n,), bool."""
    with open_mels(store, part) as groups:
        return hash_column(groups.track_ids()) < limit


def _hashes(store: Store, mels: DatasetRef) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The hashes of the tracks of each part, and their numbers of clips."""
    for counts in map_parallel(lambda part: _value_counts(store, part), store.manifest(mels).parts):
        yield hash_ids(counts.field("values")), counts.field("counts").to_numpy()


def _value_counts(store: Store, part: Part) -> pa.StructArray:
    with open_mels(store, part) as groups:
        return groups.track_ids().value_counts()


def _first_ids(store: Store, mels: DatasetRef, max_clips: int) -> Iterator[pa.Array]:
    """The tracks that older versions of audioae trained on: the first whole shards up to `max_clips` clips."""
    n_clips = 0
    for part in store.manifest(mels).parts:
        if n_clips and n_clips + (part.rows or 0) > max_clips:
            return
        n_clips += part.rows or 0
        yield _value_counts(store, part).field("values")


def _sampled_ids(store: Store, mels: DatasetRef, max_clips: int) -> Iterator[pa.Array]:
    limit = choose_tracks(store, mels, max_clips).limit
    for counts in map_parallel(lambda part: _value_counts(store, part), store.manifest(mels).parts):
        ids = counts.field("values")
        yield ids if limit is None else ids.filter(pa.array(hash_ids(ids) < limit))


def _held_out_of_stream(store: Store, mels: DatasetRef, held_out: float) -> set[str]:
    """Held-out tracks from parts all over the data, until there are enough."""
    ids: set[str] = set()
    for part in sorted(store.manifest(mels).parts, key=lambda part: part.sha256):
        names = _value_counts(store, part).field("values")
        held = is_held_out(hash_ids(names).view(np.int64), held_out)
        ids.update(pc.drop_null(names.filter(pa.array(held))).to_pylist())
        if len(ids) >= MOST_HELD_OUT:
            break
    return set(sorted(ids)[:MOST_HELD_OUT])
