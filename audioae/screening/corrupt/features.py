"""What the check for corrupt tracks looks at: the store's evidence of every track, and that of versions with a fault.

Conventions
-----------
- Rows are tracks that were decoded and embedded, in the order of the catalog.
- A version is extracted as the catalog was, but for its number of clips: they are for the reconstruction only.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.audio.extract import Extracted
from audioae.audio.health import HEALTH_COLUMNS
from audioae.audio.workers import imap_killable
from audioae.errors import AudioError
from audioae.library.generation import Generation
from audioae.model.embedder import pool_track
from audioae.pipeline.clips import mel_codes
from audioae.pipeline.config import Workers
from audioae.pipeline.shards import shard_of
from audioae.progress import Progress
from audioae.screening.corrupt.classifier import CLEAN, oddest_clip
from audioae.screening.corrupt.faults import FAULTS, INTACT, extract_faulty
from audioae.screening.corrupt.rules import derive

_CLIPS = 8  # of a version that are embedded
_LOSSLESS = ("pcm", "flac", "float", "double", "alac")


@dataclass(frozen=True)
class Evidence:
    """What the store has of decoded tracks, in the order of the catalog; `columns` are those of `corrupt_rules`."""

    tracks: list[dict[str, Any]]
    columns: dict[str, np.ndarray]

    @property
    def labels(self) -> list[str | None]:
        return [track["label"] for track in self.tracks]


@dataclass(frozen=True)
class Versions:
    """Versions with a fault each (`CLEAN` where intact): the row of their track, their fault, their evidence."""

    track: np.ndarray
    kinds: np.ndarray
    columns: dict[str, np.ndarray]
    omitted: tuple[str, ...] = ()


def read_evidence(library: Generation) -> Evidence:
    """Health and reconstruction of every embedded track."""
    health_ref = library.store.manifest(library.embeddings_ref).parent("health")
    health = {row["track_id"]: row for row in library.store.read(health_ref).to_pylist()}
    columns = ["track_id", "reconstruction_error", "spread"]
    embedded = {row["track_id"]: row for row in library.store.read(library.embeddings_ref, columns).to_pylist()}
    wanted = library.tracks.select(["track_id", "uri", "artist", "label", "shard"]).to_pylist()
    tracks = [row for row in wanted if row["track_id"] in health and row["track_id"] in embedded]
    return Evidence(tracks, _columns([health[t["track_id"]] | embedded[t["track_id"]] for t in tracks]))


def make_versions(
    library: Generation, evidence: Evidence, sample: np.ndarray, n_faults: int, workers: Workers, report: Progress
) -> Versions:
    """Do `n_faults` faults, one at a time, to each row of `sample`; store and decode the versions as the catalog was.

    What the catalog has not measured is unknown of its versions as well.
    """
    faults = [name for name in FAULTS if name != INTACT]
    names = {
        int(row): (INTACT, *(faults[(i * n_faults + j) % len(faults)] for j in range(n_faults)))
        for i, row in enumerate(sample)
    }
    clips = library.mels_config.clips.model_copy(update={"max_clips": min(_CLIPS, library.mels_config.clips.max_clips)})
    rows, track, kinds, failures = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="audioae-faults-") as folder:
        items = (
            (row, (evidence.tracks[row]["uri"], folder, clips, library.mels_config.decode, own))
            for row, own in names.items()
        )
        timeout_s = workers.timeout_s * (2 + n_faults)
        for done, (row, result) in enumerate(
            imap_killable(extract_faulty, items, workers=workers.n, timeout_s=timeout_s)
        ):
            report("faults", done + 1, len(names))
            if isinstance(result, AudioError):
                failures.append(f"{evidence.tracks[int(row)]['uri']}: {result}")  # pyright: ignore[reportArgumentType]
                continue
            for name, version in result.items():
                if isinstance(version, Extracted):
                    rows.append(version.health | _reconstruction(library, version))
                    track.append(row)
                    kinds.append(CLEAN if name == INTACT else name)
    omitted = ()
    if failures:
        what = "rules only" if not rows else "they are not learned from"
        omitted = (
            f"audio of {len(failures)} of {len(names)} sampled tracks cannot be read again, {what}: {failures[0]}",
        )
    kinds, columns = np.array(kinds, object), _columns(rows) if rows else {}
    for name, values in columns.items():
        if np.isnan(evidence.columns[name]).all() and not np.isnan(values[kinds == CLEAN]).all():
            columns[name] = np.full(len(values), np.nan)
    return Versions(np.array(track, int), kinds, columns, omitted)


def oddest_clips(library: Generation, tracks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Where the clip of a track stands that is least like its others, in seconds, of tracks whose mels are stored."""
    wanted, found = {}, {}
    for track in tracks:
        wanted.setdefault(track["shard"], set()).add(track["track_id"])
    health = library.store.manifest(library.embeddings_ref).parent("health")
    for part in library.store.manifest(health).parts:  # one decode gave parts of one name
        name, own = part.name.removesuffix(".parquet"), wanted.get(shard_of(part.name), set())
        if not own or not library.store.has_part("mels", name):
            continue
        mels = library.store.read_part("mels", name, ["track_id", "start_s", "mel"])
        owners = mels["track_id"].to_numpy()
        for track_id in own:
            clips = mels.filter(pa.array(owners == track_id))
            if clips.num_rows > 2:
                found[track_id] = float(clips["start_s"][oddest_clip(mel_codes(clips))].as_py())
    return found


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
