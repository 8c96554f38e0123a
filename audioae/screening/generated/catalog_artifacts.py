"""Dataset `residues`: what the making of every track left in its waveform, measured once per content.

A part per shard is named by what it was measured from, so a grown catalog decodes only what is new. A shard that holds
a file which could not be read is not stored, and is tried again the next time.
"""

# pyright: reportAttributeAccessIssue=false

from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audioae.audio.workers import imap_killable
from audioae.config import fingerprint
from audioae.errors import AudioError
from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.pipeline.shards import iter_shards, part_fingerprint
from audioae.progress import Progress
from audioae.screening.generated.artifacts import ARTIFACT_NAMES, track_artifacts
from audioae.store.schemas import RESIDUES

CODE = 1  # raise it when the same file would give another residue


def measure_artifacts(
    library: Generation, track_ids: np.ndarray, max_sections: int, workers: Workers, report: Progress
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Residues of tracks, those of new shards measured and published; and a sentence on what could not be read.

    Parameters
    ----------
    library : Generation
    track_ids : np.ndarray, shape (n,), str
    max_sections : int
        Sections of 3 s per track.
    workers : Workers
    report : Report

    Returns
    -------
    residues : np.ndarray, shape (n, len(RESIDUE_NAMES)), float32
        A row of NaN for what could not be read.
    omitted : tuple of str
    """
    store = library.store
    there = store.part_fingerprints("residues")
    shards = _shards(library, track_ids, max_sections)
    new = {name: tracks for name, tracks in shards.items() if name not in there}
    items = (
        (row["track_id"], (row["uri"], max_sections))
        for tracks in new.values()
        for row in tracks.select(["track_id", "uri"]).to_pylist()
    )
    results = imap_killable(track_artifacts, items, workers=workers.n, timeout_s=workers.timeout_s)
    found: dict[str, np.ndarray] = {}
    failed: list[str] = []
    done, total = 0, sum(tracks.num_rows for tracks in new.values())
    for name, tracks in shards.items():
        own: dict[str, np.ndarray] = {}
        if name in there:
            table = store.read_part("residues", name)
            rows = table["residue"].combine_chunks().flatten().to_numpy().reshape(-1, len(ARTIFACT_NAMES))
            own = dict(zip(table["track_id"].to_pylist(), rows, strict=True))
        for uri, (track_id, result) in zip(tracks["uri"].to_pylist(), islice(results, _n(name, new)), strict=False):
            if isinstance(result, AudioError):
                failed.append(f"{uri}: {result}")
            else:
                own[str(track_id)] = result
            done += 1
            report("waveforms", done, total)
        if len(own) == tracks.num_rows and name in new:
            store.write_part("residues", name, _table(own))
        found |= own
    _publish(library, list(shards), max_sections)
    missing = np.full(len(ARTIFACT_NAMES), np.nan, np.float32)
    residues = np.array([found.get(track, missing) for track in track_ids.tolist()], np.float32)
    omitted = (f"{len(failed)} tracks could not be read again; the first: {failed[0]}",) if failed else ()
    return residues.reshape(len(track_ids), len(ARTIFACT_NAMES)), omitted


def _shards(library: Generation, track_ids: np.ndarray, max_sections: int) -> dict[str, pa.Table]:
    """The wanted tracks of each shard, by the name of the part that they make."""
    wanted = pa.array(track_ids.tolist(), pa.string())
    shards = {}
    for shard, table in iter_shards(library.store, library.tracks_ref):
        tracks = table.filter(pc.is_in(table["track_id"], value_set=wanted))
        content = [tracks["track_id"].to_pylist(), tracks["content_hash"].to_pylist()]
        if tracks.num_rows:
            shards[part_fingerprint(shard, [CODE, max_sections, content])] = tracks
    return shards


def _n(name: str, new: dict[str, pa.Table]) -> int:
    return new[name].num_rows if name in new else 0


def _table(residues: dict[str, np.ndarray]) -> pa.Table:
    values = pa.array(np.concatenate(list(residues.values())).astype(np.float32))
    column = pa.FixedSizeListArray.from_arrays(values, type=RESIDUES.field("residue").type)
    return pa.Table.from_arrays([pa.array(list(residues), pa.string()), column], schema=RESIDUES)


def _publish(library: Generation, names: list[str], max_sections: int) -> None:
    there = library.store.part_fingerprints("residues")
    stored = [name for name in names if name in there]
    settings = {"max_sections": max_sections}
    if stored:
        recipe = fingerprint([CODE, stored, settings])
        library.store.commit("residues", stored, recipe=recipe, config=settings, parents=[library.tracks_ref])
