"""The stability certificate: what a store's embeddings do when something happens to its files, and to the machine.

Conventions
-----------
- A sample of tracks, evenly over the catalog and the same in every run, is perturbed, decoded and embedded by the code
  and settings of the catalog; the published embeddings are the originals, and what is searched in.
- Other embeddings of the same tracks (`EmbeddingSpace`) are put through the same versions: each file is decoded once.
- The rows of the machine (one clip at a time, stored mels, CPU) need no new audio, and are asked of our embedder alone.
- What could not be had (a file that is gone, a track too short to be shifted) is a sentence in `omitted`.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.audio.extract import Extracted
from audioae.audio.perturbations import ORIGINAL, PERTURBATIONS, extract_versions
from audioae.audio.workers import imap_killable
from audioae.errors import AudioError, EvaluationError
from audioae.library.generation import Generation
from audioae.library.track_metadata import check_vectors, make_metadata
from audioae.library.track_vectors import OWN
from audioae.metrics.metric import Metric
from audioae.metrics.robustness import Stability, measure, same_track
from audioae.model.embedder import Embedder, pool_track
from audioae.pipeline.clips import extraction_fingerprint, mel_codes
from audioae.pipeline.config import Workers
from audioae.pipeline.index import read_embeddings
from audioae.pipeline.shards import iter_shards
from audioae.progress import Advance
from audioae.spacing import evenly_spaced

N_TRACKS = 32
BATCH = 256
SAME_TRACK_GROUPS = ("codec", "gain", "eq", "noise")

Clips = tuple[np.ndarray, np.ndarray]  # a track's mel codes (n, 128, 130) uint8 and peaks (n,) in dB
Vectorizer = Callable[[Sequence[Clips]], np.ndarray]


@dataclass(frozen=True)
class EmbeddingSpace:
    """Other embeddings of the catalog: its vectors (n, d), and how clips of new audio become such vectors (m, d)."""

    vectors: np.ndarray
    vectorize: Vectorizer


@dataclass(frozen=True)
class Robustness:
    """What each perturbation did, by the name of the embeddings (`OWN` is the store's), and what was left out."""

    stabilities: Mapping[str, Sequence[Stability]]
    omitted: tuple[str, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The table: one row per embeddings and perturbation."""
        return [{"embedding": name, **stability.row()} for name, made in self.stabilities.items() for stability in made]

    @property
    def same_track(self) -> dict[str, Metric]:
        """Same-track retrieval of each of the embeddings, over codecs, gain, EQ and noise (see its caveat)."""
        names = {perturbation.name for perturbation in PERTURBATIONS if perturbation.group in SAME_TRACK_GROUPS}
        chosen = {name: [s for s in made if s.name in names] for name, made in self.stabilities.items()}
        return {name: same_track(made) for name, made in chosen.items() if made}


@dataclass(frozen=True)
class _Sample:
    """The tracks asked: their rows in the catalog searched in, what the catalog says of them, who is drawn together."""

    rows: np.ndarray
    tracks: list[dict[str, Any]]
    groups: np.ndarray


def measure_robustness(
    library: Generation,
    ids: Sequence[str] | None = None,
    *,
    spaces: Mapping[str, EmbeddingSpace] | None = None,
    n_tracks: int = N_TRACKS,
    workers: Workers | None = None,
    on_progress: Advance | None = None,
) -> Robustness:
    """Perturb a sample of a store's tracks and see what becomes of their embeddings.

    Parameters
    ----------
    library : Generation
    ids : sequence of str, length n
        The tracks searched in, of which the sample is taken; by default every embedded track.
    spaces : dict of str to Space
        Other embeddings, their vectors in the order of `ids`.
    n_tracks : int
        How many tracks are perturbed, at most.
    workers : Workers
        `timeout_s` is for each version of a file.
    on_progress : callable
        Told how many tracks are done, and of how many.

    Raises
    ------
    EvaluationError
        If fewer than two tracks would be perturbed, or vectors do not fit the IDs.
    SearchError
        If a track of `ids` has no embedding.
    """
    table = read_embeddings(library.store, library.embeddings_ref)
    ids = sorted(table.track_ids.to_pylist()) if ids is None else list(ids)
    if min(n_tracks, len(ids)) < 2:
        raise EvaluationError(f"stability: got n_tracks={n_tracks} of {len(ids)} embedded tracks, wanted at least 2")
    own = EmbeddingSpace(table.embeddings[table.rows_of(ids)], lambda tracks: embed_clips(library.embedder, tracks))
    spaces = {
        name: EmbeddingSpace(check_vectors(space.vectors, np.array(ids), name), space.vectorize)
        for name, space in {OWN: own, **(spaces or {})}.items()
    }
    sample = _sample(library, ids, n_tracks)
    perturbed, originals, omitted = _perturb(library, sample, spaces, workers or Workers(), on_progress)
    stabilities = {
        name: [
            measure(perturbation, vectors, space.vectors[sample.rows], space.vectors, sample.rows, sample.groups)
            for perturbation, vectors in perturbed[name].items()
            if not np.isnan(vectors).all()
        ]
        for name, space in spaces.items()
    }
    machine, missing = _machine(library, sample, originals, spaces[OWN].vectors)
    stabilities[OWN] += machine
    return Robustness(stabilities, (*omitted, *missing))


def embed_clips(embedder: Embedder, tracks: Sequence[Clips], batch: int = BATCH) -> np.ndarray:
    """Embeddings of tracks from their clips, shape (n, 128), `batch` clips at a time."""
    codes = np.concatenate([codes for codes, _ in tracks])
    embeddings = np.concatenate([embedder.embed(codes[i : i + batch])[0] for i in range(0, len(codes), batch)])
    ends = np.cumsum([len(codes) for codes, _ in tracks])
    return np.stack([pool_track(own)[0] for own in np.split(embeddings, ends[:-1])])


def _sample(library: Generation, ids: Sequence[str], n_tracks: int) -> _Sample:
    rows = evenly_spaced(len(ids), n_tracks)
    place = {track_id: i for i, track_id in enumerate(library.tracks["track_id"].to_pylist())}
    tracks = library.tracks.take(pa.array([place[ids[row]] for row in rows])).to_pylist()
    metadata = make_metadata([track["track_id"] for track in tracks], artists=[track["artist"] for track in tracks])
    return _Sample(rows, tracks, metadata.groups)


def _perturb(
    library: Generation,
    sample: _Sample,
    spaces: Mapping[str, EmbeddingSpace],
    workers: Workers,
    on_progress: Advance | None,
) -> tuple[dict[str, dict[str, np.ndarray]], dict[int, Clips], list[str]]:
    """Vectors (n, d) by space and perturbation, NaN where there is none; clips of the files as they are; omissions."""
    n = len(sample.rows)
    perturbed = {
        name: {p.name: np.full((n, space.vectors.shape[1]), np.nan, np.float32) for p in PERTURBATIONS}
        for name, space in spaces.items()
    }
    originals: dict[int, Clips] = {}
    failures: dict[str, list[str]] = {}
    for i, versions in _versions(library, sample, workers):
        clips: dict[str, Clips] = {}
        for name, version in versions.items():
            if isinstance(version, AudioError):
                failures.setdefault(name, []).append(f"{sample.tracks[i]['uri']}: {version}")
            else:
                clips[name] = (version.codes, version.peak_db)
        if ORIGINAL in clips:
            originals[i] = clips.pop(ORIGINAL)
        for name, space in spaces.items() if clips else ():
            vectors = check_vectors(space.vectorize(list(clips.values())), np.array(list(clips)), name)
            for perturbation, vector in zip(clips, vectors, strict=True):
                perturbed[name][perturbation][i] = vector
        if on_progress:
            on_progress(i + 1, n)
    return perturbed, originals, [_omission(name, found, n) for name, found in failures.items()]


def _versions(
    library: Generation, sample: _Sample, workers: Workers
) -> Iterator[tuple[Any, Mapping[str, Extracted | AudioError]]]:
    """The versions of each track of the sample, in order; an `AudioError` for `ORIGINAL` where there are none."""
    config, timeout_s = library.mels_config, workers.timeout_s * (1 + len(PERTURBATIONS))
    with tempfile.TemporaryDirectory(prefix="audioae-versions-") as folder:
        items = ((i, (track["uri"], folder, config.clips, config.decode)) for i, track in enumerate(sample.tracks))
        results = imap_killable(extract_versions, items, workers=workers.n, timeout_s=timeout_s)
        for track, (i, result) in zip(sample.tracks, results, strict=True):
            if isinstance(result, AudioError):
                result = {ORIGINAL: result}
            elif _is_other(track):
                result = {ORIGINAL: AudioError("unreadable", "not the file of the catalog any more; run the catalog")}
            yield i, result


def _is_other(track: Mapping[str, Any]) -> bool:
    """Whether the file is gone by now, or has another size than the catalog saw."""
    path = Path(track["uri"])
    return not path.is_file() or path.stat().st_size != track["size_bytes"]


def _omission(name: str, failures: Sequence[str], n: int) -> str:
    what = "stability" if name == ORIGINAL else name
    return f"{what}: {len(failures)} of {n} tracks left out, the first: {failures[0]}"


def _machine(
    library: Generation, sample: _Sample, clips: Mapping[int, Clips], catalog: np.ndarray
) -> tuple[list[Stability], list[str]]:
    """What the way of computing does: batch (of the first tracks, as many as fill one), stored mels, device."""
    made: list[Stability] = []
    omitted: list[str] = []

    def compare(name: str, here: Sequence[int], vectors: np.ndarray, others: np.ndarray) -> None:
        rows, groups = sample.rows[list(here)], sample.groups[list(here)]
        made.append(measure(name, vectors, others, catalog, rows, groups))

    if not clips:
        return [], ["batch, stored mels and CPU against GPU: no file could be read"]
    embedder = library.embedder
    together = embed_clips(embedder, list(clips.values()))
    ends = np.cumsum([len(codes) for codes, _ in clips.values()])
    batch = list(clips)[: 1 + int(np.searchsorted(ends, BATCH))]  # alone, a clip costs as much as a block
    alone = embed_clips(embedder, [clips[i] for i in batch], batch=1)
    compare(f"batch 1 against {BATCH}", batch, alone, together[: len(batch)])
    stored = _stored_clips(library, sample, clips)
    if stored:
        again = embed_clips(embedder, [clips[i] for i in stored])
        compare("mels decoded again against stored", list(stored), again, embed_clips(embedder, list(stored.values())))
    if len(stored) < len(clips):
        omitted.append(f"stored mels: {len(clips) - len(stored)} of {len(clips)} tracks have none stored")
    if embedder.device.type == "cpu":
        omitted.append("CPU against GPU: the model runs on the CPU here")
    else:
        on_cpu = embed_clips(Embedder(embedder.model, "cpu"), list(clips.values()))
        compare("CPU against GPU", list(clips), on_cpu, together)
    return made, omitted


def _stored_clips(library: Generation, sample: _Sample, clips: Mapping[int, Clips]) -> dict[int, Clips]:
    """The stored clips of those tracks that have any, by their place in the sample."""
    by_shard: dict[int, list[int]] = {}
    for i in clips:
        by_shard.setdefault(sample.tracks[i]["shard"], []).append(i)
    found: dict[int, Clips] = {}
    for shard, tracks in iter_shards(library.store, library.tracks_ref, by_shard):
        name = extraction_fingerprint(shard, tracks, library.mels_config)
        if not library.store.has_part("mels", name):
            continue
        mels = library.store.read_part("mels", name)
        owners = mels["track_id"].to_numpy()
        for i in by_shard[shard]:
            mask = owners == sample.tracks[i]["track_id"]
            found[i] = (mel_codes(mels.filter(pa.array(mask))), mels["peak_db"].to_numpy()[mask])
    return {i: found[i] for i in clips if i in found}
