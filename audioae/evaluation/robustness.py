"""Robustness of a store's embeddings to changes of the audio files and of the computation.

Conventions
-----------
- The sample is evenly spaced over the catalog and the same in every run. Its files are perturbed, decoded and embedded
  with the code and settings of the catalog. The published embeddings are the originals and are searched in.
- Other embeddings of the same tracks (`EmbeddingSpace`) are measured on the same perturbed versions: each file is
  decoded once.
- Other excerpts of the sampled tracks are queries as well, for all embeddings (`evaluation.excerpts`).
- The rows about the computation (batch size, stored mels, CPU against GPU) need no new audio and are measured for the
  store's model only.
- Missing files and tracks too short to be shifted are reported in `omitted`.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audioae.audio.extract import Extracted
from audioae.audio.perturbations import ORIGINAL, PERTURBATIONS, extract_versions
from audioae.audio.workers import imap_killable
from audioae.catalog.paths import path_of
from audioae.errors import AudioError, EvaluationError
from audioae.evaluation.excerpts import EXCERPTS, Clips, measure_excerpts
from audioae.library.generation import Generation
from audioae.library.track_metadata import check_vectors, make_metadata
from audioae.library.track_vectors import OWN
from audioae.metrics.metric import Metric
from audioae.metrics.robustness import PerturbationResult, measure, same_track
from audioae.model.embedder import Embedder
from audioae.pipeline.config import Workers
from audioae.pipeline.embeddings import take_embeddings
from audioae.pipeline.stored_clips import iter_stored_clips
from audioae.progress import Advance
from audioae.spacing import evenly_spaced

N_TRACKS = 32
BATCH = 256
SAME_TRACK_GROUPS = ("codec", "gain", "eq", "noise")

Vectorizer = Callable[[Sequence[Clips]], np.ndarray]
"""Maps the clips of m tracks to vectors (m, d)."""


@dataclass(frozen=True)
class EmbeddingSpace:
    """Other embeddings of the catalog, shape (n, d), and the function that makes them from clips."""

    vectors: np.ndarray
    vectorize: Vectorizer


@dataclass(frozen=True)
class Robustness:
    """Results of each perturbation by name of the embeddings (`OWN` is the store's), and what was omitted."""

    results: Mapping[str, Sequence[PerturbationResult]]
    omitted: tuple[str, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row per embeddings and perturbation."""
        return [{"embedding": name, **result.row()} for name, results in self.results.items() for result in results]

    @property
    def same_track(self) -> dict[str, tuple[Metric, ...]]:
        """Same-track retrieval (recall@1, MRR, recall@10) over codecs, gain, EQ and noise; see `SAME_TRACK_CAVEAT`."""
        names = {perturbation.name for perturbation in PERTURBATIONS if perturbation.group in SAME_TRACK_GROUPS}
        chosen = {name: [r for r in results if r.name in names] for name, results in self.results.items()}
        return {name: same_track(results) for name, results in chosen.items() if results}


@dataclass(frozen=True)
class _Sample:
    """The sampled tracks: their rows among the embeddings, their rows of the catalog, and their artist groups."""

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
    """Perturb a sample of a store's tracks and measure how their embeddings change.

    Parameters
    ----------
    library : Generation
    ids : sequence of str, length n
        Tracks to search in and to sample from; by default all embedded tracks.
    spaces : dict of str to EmbeddingSpace
        Other embeddings to measure, with vectors in the order of `ids`.
    n_tracks : int
        Perturb at most this many tracks.
    workers : Workers
        Decoding processes; `timeout_s` applies to each version of a file.
    on_progress : Advance
        Called with the number of finished tracks and the total.

    Raises
    ------
    EvaluationError
        If fewer than two tracks would be perturbed, or vectors do not match `ids`.
    SearchError
        If a track of `ids` has no embedding.
    """
    all_ids = library.store.read(library.embeddings_ref, ["track_id"])["track_id"].combine_chunks()
    ids = sorted(all_ids.to_pylist()) if ids is None else list(ids)
    if min(n_tracks, len(ids)) < 2:
        raise EvaluationError(f"robustness: got n_tracks={n_tracks} of {len(ids)} embedded tracks, wanted at least 2")
    own = EmbeddingSpace(_embeddings(library, all_ids, ids), lambda tracks: embed_clips(library.embedder, tracks))
    spaces = {
        name: EmbeddingSpace(check_vectors(space.vectors, np.array(ids), name), space.vectorize)
        for name, space in {OWN: own, **(spaces or {})}.items()
    }
    sample = _sample(library, ids, n_tracks)
    perturbed, originals, starts_s, omitted = _perturb(library, sample, spaces, workers or Workers(), on_progress)
    results = {
        name: [
            measure(perturbation, vectors, space.vectors[sample.rows], space.vectors, sample.rows, sample.groups)
            for perturbation, vectors in perturbed[name].items()
            if not np.isnan(vectors).all()
        ]
        + measure_excerpts(originals, starts_s, space.vectors, sample.rows, sample.groups, space.vectorize)
        for name, space in spaces.items()
    }
    if originals and not any(result.name in EXCERPTS for result in results[OWN]):
        omitted.append("other excerpts: no track has two clips that do not overlap")
    computation, missing = _measure_computation(library, sample, originals, spaces[OWN].vectors)
    results[OWN] += computation
    return Robustness(results, (*omitted, *missing))


def _embeddings(library: Generation, all_ids: pa.StringArray, ids: Sequence[str]) -> np.ndarray:
    """Embeddings of tracks. Raises `SearchError` if one has none."""
    rows = pc.drop_null(pc.index_in(pa.array(ids, pa.string()), value_set=all_ids)).to_numpy().astype(np.int64)
    if not len(rows):
        rows = np.array([0])  # the table names what is missing
    table = take_embeddings(library.store, library.embeddings_ref, rows)
    return table.embeddings[table.rows_of(ids)]


def embed_clips(embedder: Embedder, tracks: Sequence[Clips], batch: int = BATCH) -> np.ndarray:
    """Embed tracks from their clips, `batch` clips at a time: shape (n, 128)."""
    codes = np.concatenate([codes for codes, _ in tracks])
    blocks = [embedder.embed(codes[i : i + batch]) for i in range(0, len(codes), batch)]
    embeddings, _, levels = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    level_db = levels + np.concatenate([peak_db for _, peak_db in tracks])
    ends = np.cumsum([len(codes) for codes, _ in tracks])[:-1]
    clips = zip(np.split(embeddings, ends), np.split(level_db, ends), strict=True)
    return np.stack([embedder.pool(*of_track)[0] for of_track in clips])


def _sample(library: Generation, ids: Sequence[str], n_tracks: int) -> _Sample:
    rows = evenly_spaced(len(ids), n_tracks, ends=True)
    places = library.columns.ids.rows_of([ids[row] for row in rows])
    tracks = library.tracks.take(pa.array(places)).to_pylist()
    metadata = make_metadata([track["track_id"] for track in tracks], artists=[track["artist"] for track in tracks])
    return _Sample(rows, tracks, metadata.groups)


def _perturb(
    library: Generation,
    sample: _Sample,
    spaces: Mapping[str, EmbeddingSpace],
    workers: Workers,
    on_progress: Advance | None,
) -> tuple[dict[str, dict[str, np.ndarray]], dict[int, Clips], dict[int, np.ndarray], list[str]]:
    """Vectors (n, d) by space and perturbation (NaN: none), clips of the originals and their starts, and omissions."""
    n = len(sample.rows)
    perturbed = {
        name: {p.name: np.full((n, space.vectors.shape[1]), np.nan, np.float32) for p in PERTURBATIONS}
        for name, space in spaces.items()
    }
    originals: dict[int, Clips] = {}
    starts_s: dict[int, np.ndarray] = {}
    failures: dict[str, list[str]] = {}
    for i, versions in _versions(library, sample, workers):
        clips: dict[str, Clips] = {}
        for name, version in versions.items():
            if isinstance(version, AudioError):
                failures.setdefault(name, []).append(f"{sample.tracks[i]['uri']}: {version}")
            else:
                clips[name] = (version.codes, version.peak_db)
                if name == ORIGINAL:
                    starts_s[i] = version.starts_s
        if ORIGINAL in clips:
            originals[i] = clips.pop(ORIGINAL)
        for name, space in spaces.items() if clips else ():
            vectors = check_vectors(space.vectorize(list(clips.values())), np.array(list(clips)), name)
            for perturbation, vector in zip(clips, vectors, strict=True):
                perturbed[name][perturbation][i] = vector
        if on_progress:
            on_progress(i + 1, n)
    return perturbed, originals, starts_s, [_omission(name, messages, n) for name, messages in failures.items()]


def _versions(
    library: Generation, sample: _Sample, workers: Workers
) -> Iterator[tuple[Any, Mapping[str, Extracted | AudioError]]]:
    """Yield the versions of each sampled track, in order; a track without any has an `AudioError` as `ORIGINAL`."""
    config, timeout_s = library.mels_config, workers.timeout_s * (1 + len(PERTURBATIONS))
    with tempfile.TemporaryDirectory(prefix="audioae-versions-") as folder:
        items = ((i, (path_of(track), folder, config.clips, config.decode)) for i, track in enumerate(sample.tracks))
        results = imap_killable(extract_versions, items, workers=workers.n, timeout_s=timeout_s)
        for track, (i, result) in zip(sample.tracks, results, strict=True):
            if isinstance(result, AudioError):
                result = {ORIGINAL: result}
            elif _has_changed(track):
                result = {ORIGINAL: AudioError("unreadable", "the file has changed; run the catalog stage again")}
            yield i, result


def _has_changed(track: Mapping[str, Any]) -> bool:
    """Whether the file is missing, or its size differs from the catalog's."""
    path = Path(path_of(track))
    return not path.is_file() or path.stat().st_size != track["size_bytes"]


def _omission(name: str, failures: Sequence[str], n: int) -> str:
    what = "robustness" if name == ORIGINAL else name
    return f"{what}: {len(failures)} of {n} tracks not measured, the first: {failures[0]}"


def _measure_computation(
    library: Generation, sample: _Sample, clips: Mapping[int, Clips], catalog: np.ndarray
) -> tuple[list[PerturbationResult], list[str]]:
    """Compare batch sizes (on as many tracks as fill a batch), new and stored mels, and CPU and GPU."""
    results: list[PerturbationResult] = []
    omitted: list[str] = []

    def compare(name: str, tracks: Sequence[int], vectors: np.ndarray, others: np.ndarray) -> None:
        rows, groups = sample.rows[list(tracks)], sample.groups[list(tracks)]
        results.append(measure(name, vectors, others, catalog, rows, groups))

    if not clips:
        return [], ["batch, stored mels and CPU against GPU: no file could be read"]
    embedder = library.embedder
    together = embed_clips(embedder, list(clips.values()))
    ends = np.cumsum([len(codes) for codes, _ in clips.values()])
    batch = list(clips)[: 1 + int(np.searchsorted(ends, BATCH))]  # a single clip costs as much as a full batch
    alone = embed_clips(embedder, [clips[i] for i in batch], batch=1)
    compare(f"batch 1 against {BATCH}", batch, alone, together[: len(batch)])
    stored = _stored_clips(library, sample, clips)
    if stored:
        again = embed_clips(embedder, [clips[i] for i in stored])
        compare("new mels against stored", list(stored), again, embed_clips(embedder, list(stored.values())))
    if len(stored) < len(clips):
        omitted.append(f"stored mels: {len(clips) - len(stored)} of {len(clips)} tracks have no stored mels")
    if embedder.device.type == "cpu":
        omitted.append("CPU against GPU: this machine has no GPU")
    else:
        on_cpu = embed_clips(Embedder(embedder.model, "cpu"), list(clips.values()))
        compare("CPU against GPU", list(clips), on_cpu, together)
    return results, omitted


def _stored_clips(library: Generation, sample: _Sample, clips: Mapping[int, Clips]) -> dict[int, Clips]:
    """Read the stored clips of the tracks that have any, by position in the sample."""
    shards = {sample.tracks[i]["track_id"]: sample.tracks[i]["shard"] for i in clips}
    stored = dict(iter_stored_clips(library.store, library.tracks_ref, library.mels_config, shards))
    ids = {i: sample.tracks[i]["track_id"] for i in clips}
    return {i: (stored[ids[i]].codes, stored[ids[i]].peak_db) for i in clips if ids[i] in stored}
