"""The decoder artifacts of every track, measured once per file content and stored as dataset `residues`.

A part per shard is named after the audio that it was measured from. What the last version has for a track's audio is
copied, so only new audio is decoded. A shard with a file that could not be read is not stored, and its other files are
measured again the next time.
"""

# pyright: reportAttributeAccessIssue=false

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.audio.workers import imap_killable
from audioae.catalog.paths import paths_of
from audioae.config import fingerprint
from audioae.errors import AudioError
from audioae.library.generation import Generation
from audioae.library.track_ids import TrackIds
from audioae.pipeline.config import Workers
from audioae.pipeline.reuse import AUDIO_COLUMNS, same_audio
from audioae.pipeline.shards import iter_shards, part_fingerprint
from audioae.progress import Progress
from audioae.screening.generated.artifacts import ARTIFACT_NAMES, track_artifacts
from audioae.screening.text import count
from audioae.store.schemas import RESIDUES

_COLUMNS = ("uri", "path_bytes", *AUDIO_COLUMNS)
CODE = 1  # increase it when the same file would give other artifacts


def measure_artifacts(
    library: Generation, track_ids: pa.StringArray, max_sections: int, workers: Workers, progress: Progress
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Decoder artifacts of tracks; those of new shards are measured and published.

    Parameters
    ----------
    library : Generation
    track_ids : pa.StringArray, length n
    max_sections : int
        Sections of 3 s per track.
    workers : Workers
    progress : Progress

    Returns
    -------
    artifacts : np.ndarray, shape (n, len(ARTIFACT_NAMES)), float32
        A row of NaN for a track that could not be read.
    omitted : tuple of str
        How many tracks could not be read, as a sentence.
    """
    store, ids = library.store, TrackIds(track_ids)
    stored = store.part_fingerprints("residues")
    shards = _shards(library, ids, max_sections, stored)
    new = {name: tracks for name, tracks in shards.items() if tracks is not None}
    before = _measured_before(library, list(new.values()), max_sections)
    items = (
        (track_id, (path, max_sections))
        for tracks in new.values()
        for track_id, path in zip(tracks["track_id"].to_pylist(), paths_of(tracks), strict=True)
        if track_id not in before
    )
    results = imap_killable(track_artifacts, items, workers=workers.n, timeout_s=workers.timeout_s)
    artifacts = np.full((len(track_ids), len(ARTIFACT_NAMES)), np.nan, np.float32)
    failed: list[str] = []
    done, total = 0, sum(tracks.num_rows for tracks in new.values()) - len(before)
    for name, tracks in shards.items():
        if tracks is None:
            table = store.read_part("residues", name)
            artifacts[ids.rows_of(table["track_id"].combine_chunks())] = _values(table)
            continue
        measured: dict[str, np.ndarray] = {}
        for uri, track_id in zip(tracks["uri"].to_pylist(), tracks["track_id"].to_pylist(), strict=True):
            if track_id in before:
                measured[track_id] = before[track_id]
                continue
            _, result = next(results)
            if isinstance(result, AudioError):
                failed.append(f"{uri}: {result}")
            else:
                measured[track_id] = result
            done += 1
            progress("measuring waveforms", done, total)
        if len(measured) == tracks.num_rows:
            store.write_part("residues", name, _table(measured))
        if measured:
            artifacts[ids.rows_of(list(measured))] = np.array(list(measured.values()), np.float32)
    _publish(library, list(shards), max_sections)
    omitted = (f"{count(len(failed), 'track')} could not be read again; the first: {failed[0]}",) if failed else ()
    return artifacts, omitted


def _shards(library: Generation, ids: TrackIds, max_sections: int, stored: set[str]) -> dict[str, pa.Table | None]:
    """The requested tracks of each shard by the name of their part; None if that is stored."""
    shards: dict[str, pa.Table | None] = {}
    for shard, table in iter_shards(library.store, library.tracks_ref):
        tracks = table.select(_COLUMNS).filter(pa.array(ids.rows_of(table["track_id"].combine_chunks()) >= 0))
        audio = pc.coalesce(tracks["audio_hash"], tracks["content_hash"])
        content = [tracks["track_id"].to_pylist(), audio.to_pylist()]
        if tracks.num_rows:
            name = part_fingerprint(shard, [CODE, max_sections, content])
            shards[name] = None if name in stored else tracks
    return shards


def _measured_before(library: Generation, new: list[pa.Table], max_sections: int) -> dict[str, np.ndarray]:
    """The artifacts that the last version has for the audio of `new` tracks, by track_id."""
    store = library.store
    ref = store.latest("residues")
    if not new or ref is None or store.manifest(ref).config != _settings(max_sections):
        return {}
    residues = store.read(ref).combine_chunks()
    tracks = store.read(store.manifest(ref).parent("tracks"), AUDIO_COLUMNS)
    tracks = tracks.filter(pc.is_in(tracks["track_id"], value_set=residues["track_id"].combine_chunks()))
    wanted = pa.concat_tables(table.select(AUDIO_COLUMNS) for table in new)
    rows = same_audio(wanted, tracks)
    theirs = tracks["track_id"].take(pa.array(rows[rows >= 0]))
    values = _values(residues.take(pc.index_in(theirs, value_set=residues["track_id"].combine_chunks())))
    return dict(zip(wanted["track_id"].filter(pa.array(rows >= 0)).to_pylist(), values, strict=True))


def _settings(max_sections: int) -> dict[str, int]:
    return {"max_sections": max_sections, "code": CODE}


def _values(residues: pa.Table) -> np.ndarray:
    if not residues.num_rows:
        return np.empty((0, len(ARTIFACT_NAMES)), np.float32)
    return residues["residue"].combine_chunks().flatten().to_numpy().reshape(-1, len(ARTIFACT_NAMES))


def _table(by_track: dict[str, np.ndarray]) -> pa.Table:
    values = pa.array(np.concatenate(list(by_track.values())).astype(np.float32))
    column = pa.FixedSizeListArray.from_arrays(values, type=RESIDUES.field("residue").type)
    return pa.Table.from_arrays([pa.array(list(by_track), pa.string()), column], schema=RESIDUES)


def _publish(library: Generation, names: list[str], max_sections: int) -> None:
    existing = library.store.part_fingerprints("residues")
    stored = [name for name in names if name in existing]
    settings = _settings(max_sections)
    if stored:
        recipe = fingerprint([CODE, stored, settings])
        library.store.commit("residues", stored, recipe=recipe, config=settings, parents=[library.tracks_ref])
