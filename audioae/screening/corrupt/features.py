"""The evidence that the check corrupt uses: that of every track, from the store, and that of versions with a fault.

Conventions
-----------
- Rows are tracks that were decoded and embedded, in the order of the catalog.
- A version is extracted with the settings of the catalog, except for fewer clips: they only serve the reconstruction.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audioae.audio.extract import Extracted
from audioae.audio.health import HEALTH_COLUMNS
from audioae.audio.workers import imap_killable
from audioae.catalog.paths import path_of
from audioae.errors import AudioError
from audioae.library.generation import Generation
from audioae.model.embedder import pool_track
from audioae.pipeline.config import Workers
from audioae.pipeline.stored_clips import iter_stored_clips
from audioae.progress import Progress
from audioae.screening.corrupt.classifier import CLEAN
from audioae.screening.corrupt.faults import FAULTS, INTACT, extract_faulty
from audioae.screening.corrupt.rules import derive
from audioae.screening.steps import Steps

_MAX_CLIPS = 8  # embedded clips of a version
_LOSSLESS = ("pcm", "flac", "float", "double", "alac")


@dataclass(frozen=True)
class Evidence:
    """The evidence of n tracks, in the order of the catalog; `columns` are those of `rules.derive`, shape (n,)."""

    tracks: list[dict[str, Any]]
    columns: dict[str, np.ndarray]

    @property
    def labels(self) -> list[str | None]:
        return [track["label"] for track in self.tracks]


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


def read_evidence(library: Generation) -> Evidence:
    """Health and reconstruction error of every embedded track."""
    health_ref = library.store.manifest(library.embeddings_ref).parent("health")
    health = {row["track_id"]: row for row in library.store.read(health_ref).to_pylist()}
    columns = ["track_id", "reconstruction_error", "spread"]
    embedded = {row["track_id"]: row for row in library.store.read(library.embeddings_ref, columns).to_pylist()}
    catalog = library.tracks.select(["track_id", "uri", "path_bytes", "artist", "label", "shard"]).to_pylist()
    tracks = [row for row in catalog if row["track_id"] in health and row["track_id"] in embedded]
    return Evidence(tracks, _columns([health[t["track_id"]] | embedded[t["track_id"]] for t in tracks]))


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

    Columns that the catalog does not have are unknown for the versions as well. A track is a step.
    """
    rows, track, kinds, failures = [], [], [], []
    read = _read_versions(library, evidence, sample, n_faults, workers, steps or Steps())
    for done, (row, result) in enumerate(read):
        progress("adding faults", done + 1, len(sample))
        if isinstance(result, AudioError):
            failures.append(f"{evidence.tracks[row]['uri']}: {result}")
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
    kinds, columns = np.array(kinds, object), _columns(rows) if rows else {}
    for name, values in columns.items():
        if np.isnan(evidence.columns[name]).all() and not np.isnan(values[kinds == CLEAN]).all():
            columns[name] = np.full(len(values), np.nan)
    return Versions(np.array(track, int), kinds, columns, omitted)


def _read_versions(
    library: Generation, evidence: Evidence, sample: np.ndarray, n_faults: int, workers: Workers, steps: Steps
) -> Iterator[tuple[int, dict[str, dict[str, Any]] | AudioError]]:
    """Yield each row of `sample` and the evidence of its versions, by fault, from the store if it is finished."""
    faults = [name for name in FAULTS if name != INTACT]
    clips = library.mels_config.clips
    clips = clips.model_copy(update={"max_clips": min(_MAX_CLIPS, clips.max_clips)})
    finished = {row: steps.load(evidence.tracks[row]["track_id"]) for row in sample.tolist()}
    with tempfile.TemporaryDirectory(prefix="audioae-faults-") as folder:
        names = (
            (row, (INTACT, *(faults[(i * n_faults + j) % len(faults)] for j in range(n_faults))))
            for i, row in enumerate(finished)
        )
        items = (
            (row, (path_of(evidence.tracks[row]), folder, clips, library.mels_config.decode, versions))
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
                steps.save(evidence.tracks[row]["track_id"], result)
            yield row, result


def oddest_clips(library: Generation, tracks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Start (s) of the clip that differs most from the others of its track, by track_id, where mels are stored."""
    shards = {track["track_id"]: track["shard"] for track in tracks}
    stored = iter_stored_clips(library.store, library.tracks_ref, library.mels_config, shards)
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
    embeddings, errors = library.embedder.embed(version.codes)
    return {"reconstruction_error": float(errors.mean()), "spread": pool_track(embeddings)[1]}


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    lossless = np.array([str(row["codec"]).startswith(_LOSSLESS) for row in rows], bool)
    names = [*HEALTH_COLUMNS, "reconstruction_error", "spread"]
    columns = {
        name: np.array([np.nan if row[name] is None else row[name] for row in rows], np.float64)
        for name in names
        if HEALTH_COLUMNS.get(name) is not str
    }
    return derive(columns, lossless)
