"""Evaluate embeddings against baselines of the same tracks: all metrics as one document, and the data of one page.

Conventions
-----------
- The evaluation of a store uses its clips (baselines, reconstruction) and its audio files (librosa's features,
  robustness, clips to listen to). The evaluation of a file of vectors has only the metrics that need no audio.
- Results list the store's own embeddings as "model", and other vectors under the name of their file.
- Without ground truth, tempo and energy are librosa's estimates, and their metrics say so.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from audioae.audio.mel import decode_mel
from audioae.evaluation.audio_features import analyze_tracks, estimated_targets, track_features
from audioae.evaluation.robustness import Clips, EmbeddingSpace, Robustness, measure_robustness
from audioae.evaluation.track_audio import TrackAudio
from audioae.library.generation import Generation
from audioae.library.track_clips import ClipArrays, read_clips
from audioae.library.track_metadata import check_vectors
from audioae.library.track_vectors import OWN, TrackVectors, vectors_from_store, with_targets
from audioae.library.truth import read_truth
from audioae.library.vector_files import align_vectors, vectors_from_file
from audioae.metrics import carriers, hubness, probes, reconstruction, retrieval
from audioae.metrics.baselines import baselines, mfcc_statistics
from audioae.metrics.document import compare_results, confusion, hub_rows
from audioae.metrics.metric import MetricSet
from audioae.metrics.robustness import SAME_TRACK_CAVEAT
from audioae.model.embedder import Embedder
from audioae.model.latent_space import assign_codes
from audioae.pages.evaluation_page import PageData
from audioae.pages.layout import map_rows
from audioae.pages.neighbors import choose_queries, nearest
from audioae.pipeline.config import Workers
from audioae.pipeline.network import network_of
from audioae.pipeline.training_clips import held_out_ids
from audioae.progress import Progress
from audioae.spacing import evenly_spaced

K = 10
MAX_PREVIEWS = 400  # tracks with a clip to listen to on the page
N_RECONSTRUCTIONS = 6  # clips shown on the page


@dataclass(frozen=True)
class Evaluation:
    """`document` has all metrics as plain data; `page` adds what the HTML page draws and plays."""

    document: dict[str, Any]
    page: PageData


def evaluate_store(
    library: Generation,
    *,
    truth: str | None = None,
    against: Sequence[str] = (),
    max_tracks: int = 2000,
    robustness_tracks: int = 32,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate the embeddings of a store.

    Parameters
    ----------
    library : Generation
    truth : str, optional
        A CSV or Parquet file with a column track_id or path, and numbers to predict.
    against : sequence of str
        Files with vectors of the same tracks, by track_id, to compare with.
    max_tracks : int
        Evaluate on at most this many tracks.
    robustness_tracks : int
        Number of tracks to perturb; 0 skips robustness.
    workers : Workers, optional
        Decoding processes.
    progress : Progress, optional

    Raises
    ------
    EvaluationError
        If vectors, IDs or files do not match (see `library.track_vectors`), or there are fewer than two tracks.
    """
    workers, progress = workers or Workers(), progress or (lambda what, done, total: None)
    tracks = vectors_from_store(library.store, library.embeddings_ref, max_tracks)
    omitted = list(tracks.omitted)
    if truth:
        targets, unmatched = read_truth(truth, tracks)
        tracks, omitted = with_targets(tracks, targets), [*omitted, *unmatched]
    tracks, others, missing = align_vectors(tracks, against)
    clips = read_clips(library, tracks, workers, progress)
    previews = set(_preview_rows(tracks))
    audio, unreadable = analyze_tracks(library, tracks, workers, progress, estimate=not truth, previews=previews)
    omitted += [*missing, *unreadable]
    if not truth:
        tracks = with_targets(tracks, estimated_targets(audio, tracks.metadata.n))
        omitted.append("R2 of instrumentalness: no truth given, and librosa cannot estimate it")

    progress("baselines", 0, 1)
    features = track_features(audio, tracks.metadata.n)
    baseline_vectors = baselines(clips.codes, clips.peak_db, clips.track, features=features)
    vectors = {
        OWN: tracks.vectors,
        **others,
        **{name: check_vectors(values, tracks.metadata.ids, name) for name, values in baseline_vectors.items()},
    }
    progress("baselines", 1, 1)
    metric_sets = _measure(vectors, tracks, progress)

    held_out = np.isin(tracks.metadata.ids, list(held_out_ids(library.store, library.model_ref)))
    rebuilt, use = reconstruction.measure(
        clips.codes, clips.track, tracks.metadata, library.embedder, held_out=held_out
    )
    has_network = network_of(library.store, library.model_ref) is not None
    n_perturbed = 0 if has_network else robustness_tracks
    robustness = _measure_robustness(library, tracks, clips, n_perturbed, workers, progress)
    if robustness:
        omitted += robustness.omitted
        for name, metrics in robustness.same_track.items():
            metric_sets[name] += MetricSet(metrics)
    else:
        why = "clips alone are not embedded as with their network of waveforms" if has_network else "skipped on request"
        omitted.append(f"robustness: {why}")
    document = _document(str(library.embeddings_ref), tracks, metric_sets, [*omitted, *rebuilt.omitted])
    clip_codes = None
    if use is not None and tracks.metadata.targets:
        clip_codes, _ = assign_codes(library.embedder, library.embedder.embed(clips.codes)[0])
    document |= {
        "carriers": carriers.measure(tracks.vectors, tracks.metadata, clip_codes, clips.track),
        "notes": [SAME_TRACK_CAVEAT] if robustness else [],
        "model": str(library.model_ref),
        "reconstruction": compare_results({OWN: rebuilt}),
        "codebook": None
        if use is None
        else {
            "perplexity": use.perplexity.ravel().tolist(),
            "dead": round(float((use.dead_share * use.counts.shape[2]).sum())),
            "size": use.counts.shape[2],
            "usage": (use.counts / use.counts.sum(axis=2, keepdims=True)).reshape(-1, use.counts.shape[2]).tolist(),
        },
        "robustness": [row for row in robustness.rows if row["embedding"] == OWN] if robustness else [],
        "robustness_of_mfcc": [row for row in robustness.rows if row["embedding"] != OWN] if robustness else [],
    }
    return Evaluation(document, _page(document, tracks, clips, audio, library.embedder))


def evaluate_file(path: str, *, against: Sequence[str] = (), max_tracks: int = 2000) -> Evaluation:
    """Evaluate vectors from a Parquet or .npz file with the metrics that need no audio.

    Raises
    ------
    EvaluationError
        If a file cannot be used (see `library.vector_files`).
    """
    tracks = vectors_from_file(path, max_tracks)
    tracks, others, missing = align_vectors(tracks, against)
    metric_sets = _measure({tracks.name: tracks.vectors, **others}, tracks, lambda what, done, total: None)
    omitted = [*tracks.omitted, *missing, "baselines, robustness, reconstruction: a file of vectors has no audio"]
    document = _document(tracks.name, tracks, metric_sets, omitted)
    document["carriers"] = carriers.measure(tracks.vectors, tracks.metadata)
    queries = choose_queries(tracks.metadata.labels)
    page = PageData(document, tracks.vectors, tracks.metadata, tracks.titles, nearest(tracks.vectors, queries))
    return Evaluation(document, page)


def _measure(vectors: Mapping[str, np.ndarray], tracks: TrackVectors, progress: Progress) -> dict[str, MetricSet]:
    """Measure retrieval, probes and hubness of every set of vectors."""
    metadata, metric_sets = tracks.metadata, {}
    for done, (name, values) in enumerate(vectors.items()):
        progress(f"metrics of {name}", done, len(vectors))
        metric_sets[name] = (
            retrieval.measure(values, metadata, K)
            + probes.measure(values, metadata)
            + hubness.measure(values, metadata, K)
        )
    progress("metrics", len(vectors), len(vectors))
    return metric_sets


def _document(
    title: str, tracks: TrackVectors, metric_sets: Mapping[str, MetricSet], omitted: Sequence[str]
) -> dict[str, Any]:
    first = next(iter(metric_sets))
    predicted = probes.label_predictions(tracks.vectors, tracks.metadata)
    hubs = hubness.biggest_hubs(tracks.vectors, K)
    return {
        "title": title,
        "n_tracks": tracks.metadata.n,
        "k": K,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "metrics": compare_results(metric_sets),
        "omitted": list(dict.fromkeys([*omitted, *metric_sets[first].omitted])),
        "hubs": hub_rows(hubs, tracks.metadata, tracks.titles),
        "confusion": None if isinstance(predicted, str) else confusion(tracks.metadata.labels, *predicted),
    }


def _preview_rows(tracks: TrackVectors) -> list[int]:
    """Rows of the tracks to listen to on the page: those of the gallery, then a sample of the map."""
    queries = nearest(tracks.vectors, choose_queries(tracks.metadata.labels))
    gallery = [row for lists in queries for row in (lists.query, *lists.rows)]
    mapped = map_rows(tracks.metadata.n)
    return list(dict.fromkeys([*gallery, *mapped[evenly_spaced(len(mapped), MAX_PREVIEWS)].tolist()]))[:MAX_PREVIEWS]


def _measure_robustness(
    library: Generation, tracks: TrackVectors, clips: ClipArrays, n_tracks: int, workers: Workers, progress: Progress
) -> Robustness | None:
    if not n_tracks:
        return None
    statistics = mfcc_statistics(clips.codes, clips.peak_db, clips.track)
    mean, deviation = statistics.mean(axis=0), np.maximum(statistics.std(axis=0), 1e-9)

    def vectorize(tracks: Sequence[Clips]) -> np.ndarray:
        codes, peaks = (np.concatenate(parts) for parts in zip(*tracks, strict=True))
        track = np.repeat(np.arange(len(tracks)), [len(codes) for codes, _ in tracks])
        return (mfcc_statistics(codes, peaks, track) - mean) / deviation

    mfcc = EmbeddingSpace(((statistics - mean) / deviation).astype(np.float32), vectorize)
    return measure_robustness(
        library,
        tracks.metadata.ids.tolist(),
        spaces={"MFCC": mfcc},
        n_tracks=n_tracks,
        workers=workers,
        on_progress=lambda done, total: progress("robustness", done, total),
    )


def _page(
    document: Mapping[str, Any],
    tracks: TrackVectors,
    clips: ClipArrays,
    audio: Mapping[int, TrackAudio],
    embedder: Embedder,
) -> PageData:
    order = np.argsort(clips.track, kind="stable")
    starts = np.searchsorted(clips.track[order], np.arange(tracks.metadata.n))
    with_sound = {row: track for row, track in audio.items() if track.audio}
    mels = {row: decode_mel(clips.codes[order[starts[row] + track.clip]]) for row, track in with_sound.items()}
    chosen = evenly_spaced(len(clips.codes), N_RECONSTRUCTIONS)
    return PageData(
        {**document, "reconstruction": {m["key"]: m["results"][OWN] for m in document["reconstruction"]}},
        tracks.vectors,
        tracks.metadata,
        tracks.titles,
        nearest(tracks.vectors, choose_queries(tracks.metadata.labels)),
        mels,
        {row: track.audio for row, track in with_sound.items()},
        (decode_mel(clips.codes[chosen]), embedder.reconstruct(clips.codes[chosen])),
    )
