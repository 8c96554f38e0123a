"""The evidence that the check corrupt uses: that of every track, from the store, and that of versions with a fault.

Conventions
-----------
- Rows are tracks that were decoded and embedded, in the order of the catalog.
- A version is extracted with the settings of the catalog, except for fewer clips: they only serve the reconstruction.
- The evidence of a track is in the parts of its shard: one shard is in memory at a time.
"""

# pyright: reportAttributeAccessIssue=false

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.audio.extract import Extracted
from audioae.audio.health import HEALTH_COLUMNS
from audioae.audio.workers import imap_killable
from audioae.catalog.paths import path_of
from audioae.errors import AudioError
from audioae.library.generation import Generation
from audioae.model.pooling import pool_track
from audioae.pipeline.config import Workers
from audioae.pipeline.shards import shard_of
from audioae.pipeline.stored_clips import iter_stored_clips
from audioae.progress import Progress
from audioae.screening.corrupt.classifier import CLEAN
from audioae.screening.corrupt.faults import FAULTS, INTACT, extract_faulty
from audioae.screening.corrupt.rules import derive
from audioae.screening.steps import Steps
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import TRACKS

TRACK_COLUMNS = ("track_id", "uri", "path_bytes", "artist", "label", "shard")

_MAX_CLIPS = 8  # embedded clips of a version
_MAX_READ = 1 << 14  # tracks of the shards whose stored mels are read to say where to listen
_LOSSLESS = ("pcm", "flac", "float", "double", "alac")
_NUMBERS = tuple(name for name, kind in HEALTH_COLUMNS.items() if kind is not str)
_EMBEDDED = ("reconstruction_error", "spread")
_READ = {"health": ["track_id", "codec", *_NUMBERS], "embeddings": ["track_id", *_EMBEDDED]}


@dataclass(frozen=True)
class Evidence:
    """The evidence of n tracks, in the order of the catalog.

    Parameters
    ----------
    tracks : pa.Table, n rows
        The columns `TRACK_COLUMNS` of the catalog.
    columns : mapping of str to np.ndarray, shape (n,)
        Those of `rules.derive`.
    """

    tracks: pa.Table
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return self.tracks.num_rows

    @property
    def labels(self) -> pa.ChunkedArray:
        return self.tracks["label"]

    def track(self, row: int) -> dict[str, Any]:
        return {name: self.tracks[name][int(row)].as_py() for name in TRACK_COLUMNS}

    def take(self, rows: np.ndarray) -> "Evidence":
        return Evidence(self.tracks.take(pa.array(rows)), {name: v[rows] for name, v in self.columns.items()})

    @classmethod
    def concat(cls, parts: Sequence["Evidence"]) -> "Evidence":
        """At least one part."""
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
        return cls(
            pa.concat_tables([part.tracks for part in parts], promote_options="default").combine_chunks(), columns
        )


@dataclass(frozen=True)
class Versions:
    """The evidence of n versions of tracks.

    Parameters
    ----------
    track : np.ndarray, shape (n,), int
        Row of the track.
    kinds : np.ndarray, shape (n,), str
        The version's fault, or `CLEAN`.
    columns : mapping of str to np.ndarray, shape (n,)
    omitted : tuple of str
        Which tracks could not be read, as a sentence.
    """

    track: np.ndarray
    kinds: np.ndarray
    columns: dict[str, np.ndarray]
    omitted: tuple[str, ...] = ()


def iter_evidence(library: Generation) -> Iterator[Evidence]:
    """Health and reconstruction error of every embedded track, shard by shard."""
    store = library.store
    parts = {
        "health": _parts(store, store.manifest(library.embeddings_ref).parent("health")),
        "embeddings": _parts(store, library.embeddings_ref),
    }
    catalog = library.tracks.select(TRACK_COLUMNS)
    shards = catalog["shard"].to_numpy()
    starts = np.flatnonzero(np.diff(shards, prepend=-1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(shards)], strict=True):
        tracks, shard = catalog.slice(start, end - start), int(shards[start])
        if not all(shard in of_dataset for of_dataset in parts.values()):
            continue
        tables = [store.read_part(name, parts[name][shard], columns) for name, columns in _READ.items()]
        rows = [pc.index_in(tracks["track_id"], value_set=t["track_id"].combine_chunks()) for t in tables]
        known = pc.and_(*(r.is_valid() for r in rows))
        health, embedded = (table.take(r.filter(known)) for table, r in zip(tables, rows, strict=True))
        yield Evidence(tracks.filter(known), _table_columns(health, embedded))


def read_evidence(library: Generation) -> Evidence:
    """The evidence of every embedded track at once."""
    return Evidence.concat([_no_evidence(), *iter_evidence(library)])


def sample_evidence(library: Generation, n: int) -> tuple[Evidence, np.ndarray]:
    """The evidence of `n` random tracks in the order of the catalog, and which of those of `iter_evidence` they are."""
    n_tracks = library.store.manifest(library.embeddings_ref).rows
    chosen = np.sort(np.random.default_rng(0).choice(n_tracks, min(n, n_tracks), replace=False))
    parts, start = [_no_evidence()], 0
    for evidence in iter_evidence(library):
        rows = chosen[slice(*np.searchsorted(chosen, (start, start + len(evidence))))]
        parts.append(evidence.take(rows - start))
        start += len(evidence)
    return Evidence.concat(parts), chosen[chosen < start]


def make_versions(
    library: Generation,
    evidence: Evidence,
    sample: np.ndarray,
    n_faults: int,
    workers: Workers,
    progress: Progress,
    steps: Steps | None = None,
) -> Versions:
    """Add `n_faults` faults, one at a time, to each track in `sample`; encode and decode the versions like the catalog.

    What is unknown of a track, because an older version decoded it, is unknown of its versions as well: a classifier
    could tell them by it. A track is a step.
    """
    rows, track, kinds, failures = [], [], [], []
    read = _read_versions(library, evidence, sample, n_faults, workers, steps or Steps())
    for done, (row, result) in enumerate(read):
        progress("adding faults", done + 1, len(sample))
        if isinstance(result, AudioError):
            failures.append(f"{evidence.track(row)['uri']}: {result}")
            continue
        for name, version in result.items():
            rows.append(version)
            track.append(row)
            kinds.append(CLEAN if name == INTACT else name)
    omitted = ()
    if failures:
        effect = "they are left out of the training" if rows else "so only rules are used"
        omitted = (
            f"the audio of {len(failures)} of {len(sample)} sampled tracks could not be read again, {effect}; "
            f"the first: {failures[0]}",
        )
    tracks, kinds, columns = np.array(track, int), np.array(kinds, object), _columns(rows) if rows else {}
    return Versions(tracks, kinds, _known_alike(columns, evidence.columns, tracks, kinds), omitted)


def _known_alike(
    columns: dict[str, np.ndarray], catalog: Mapping[str, np.ndarray], tracks: np.ndarray, kinds: np.ndarray
) -> dict[str, np.ndarray]:
    """The columns of versions, NaN where the catalog does not know of the track what is known of its intact version."""
    alike = {}
    for name, values in columns.items():
        unmeasured = (kinds == CLEAN) & ~np.isnan(values) & np.isnan(catalog[name][tracks])
        alike[name] = np.where(np.isin(tracks, tracks[unmeasured]), np.nan, values)
    return alike


def _read_versions(
    library: Generation, evidence: Evidence, sample: np.ndarray, n_faults: int, workers: Workers, steps: Steps
) -> Iterator[tuple[int, dict[str, dict[str, Any]] | AudioError]]:
    """Yield each row of `sample` and the evidence of its versions, by fault, from the store if it is finished."""
    faults = [name for name in FAULTS if name != INTACT]
    clips = library.mels_config.clips
    clips = clips.model_copy(update={"max_clips": min(_MAX_CLIPS, clips.max_clips)})
    tracks = {row: evidence.track(row) for row in sample.tolist()}
    finished = {row: steps.load(track["track_id"]) for row, track in tracks.items()}
    with tempfile.TemporaryDirectory(prefix="audioae-faults-") as folder:
        names = (
            (row, (INTACT, *(faults[(i * n_faults + j) % len(faults)] for j in range(n_faults))))
            for i, row in enumerate(finished)
        )
        items = (
            (row, (path_of(tracks[row]), folder, clips, library.mels_config.decode, versions))
            for row, versions in names
            if finished[row] is None
        )
        timeout_s = workers.timeout_s * (2 + n_faults)
        results = imap_killable(extract_faulty, items, workers=workers.n, timeout_s=timeout_s)
        for row, versions in finished.items():
            if versions is not None:
                yield row, versions
                continue
            _, result = next(results)
            if not isinstance(result, AudioError):
                read = {name: version for name, version in result.items() if isinstance(version, Extracted)}
                result = {name: version.health | _reconstruction(library, version) for name, version in read.items()}
                steps.save(tracks[row]["track_id"], result)
            yield row, result


def oddest_clips(library: Generation, tracks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Start (s) of the clip that differs most from the others of its track, by track_id, where mels are stored.

    Reading the mels of a track means to read those of its shard. The shards of the first tracks are read, until they
    have `_MAX_READ` tracks; the others are left out.
    """
    sizes = {shard_of(part.name): part.rows or 0 for part in library.store.manifest(library.tracks_ref).parts}
    shards = list(dict.fromkeys(track["shard"] for track in tracks))
    n_read = np.cumsum([sizes.get(shard, 0) for shard in shards])
    read = set(shards[: max(int(np.searchsorted(n_read, _MAX_READ, side="right")), 1)])
    wanted = {track["track_id"]: track["shard"] for track in tracks if track["shard"] in read}
    stored = iter_stored_clips(library.store, library.tracks_ref, library.mels_config, wanted)
    return {
        track_id: float(clips.starts_s[oddest_clip(clips.codes)]) for track_id, clips in stored if len(clips.codes) > 2
    }


def oddest_clip(codes: np.ndarray) -> int:
    """The clip that differs most from the others, by mean and standard deviation of 16 bands.

    Parameters
    ----------
    codes : np.ndarray, shape (n_clips, 128, n_frames), uint8
    """
    bands = codes.reshape(len(codes), 16, -1).astype(np.float32)
    statistics = np.concatenate([bands.mean(axis=2), bands.std(axis=2)], axis=1)
    return int(np.abs(statistics - np.median(statistics, axis=0)).mean(axis=1).argmax())


def _reconstruction(library: Generation, version: Extracted) -> dict[str, float]:
    embeddings, errors, _ = library.embedder.embed(version.codes)
    return {"reconstruction_error": float(errors.mean()), "spread": pool_track(embeddings)[1]}


def _no_evidence() -> Evidence:
    return Evidence(TRACKS.empty_table().select(TRACK_COLUMNS), _columns([]))


def _parts(store: Store, ref: DatasetRef) -> dict[int, str]:
    """The part of each shard."""
    return {shard_of(part.name): part.name.removesuffix(".parquet") for part in store.manifest(ref).parts}


def _table_columns(health: pa.Table, embedded: pa.Table) -> dict[str, np.ndarray]:
    columns = {name: _numbers(health[name]) for name in _NUMBERS}
    columns |= {name: _numbers(embedded[name]) for name in _EMBEDDED}
    prefixes = [pc.starts_with(health["codec"], prefix) for prefix in _LOSSLESS]
    lossless = np.any([pc.fill_null(mask, False).to_numpy() for mask in prefixes], axis=0)
    return derive(columns, lossless)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    lossless = np.array([str(row["codec"]).startswith(_LOSSLESS) for row in rows], bool)
    columns = {
        name: np.array([np.nan if row[name] is None else row[name] for row in rows], np.float64)
        for name in (*_NUMBERS, *_EMBEDDED)
    }
    return derive(columns, lossless)


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """A column as float64, NaN where it is null."""
    return column.cast(pa.float64()).to_numpy()
