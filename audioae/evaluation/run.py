"""Evaluate embeddings: every question of `evaluate`, beside baselines of the same tracks, as one document and one page.

Conventions
-----------
- Embeddings of a store are evaluated with all that the store has: clips for the baselines and the reconstruction,
  audio for librosa's features, the stability certificate and what can be heard. Vectors from a file are asked what can
  be asked of vectors.
- The store's own embeddings are called "model"; vectors to compare with go by the name of their file.
- Where no truth is given, tempo and energy are librosa's estimates, and called so.
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
from audioae.library.stored_clips import TrackClips, read_clips
from audioae.library.track_metadata import check_vectors
from audioae.library.track_vectors import OWN, TrackVectors, vectors_from_store, with_targets
from audioae.library.truth import read_truth
from audioae.library.vector_files import align_vectors, vectors_from_file
from audioae.metrics import hubness, probes, reconstruction, retrieval
from audioae.metrics.baselines import baselines, mfcc_statistics
from audioae.metrics.document import compare_answers, confusion, hub_rows
from audioae.metrics.metric import MetricSet
from audioae.metrics.robustness import SAME_TRACK_CAVEAT
from audioae.model.embedder import Embedder
from audioae.pages.evaluation_page import PageData
from audioae.pages.layout import map_rows
from audioae.pages.neighbors import choose_queries, nearest
from audioae.pipeline.config import Workers
from audioae.pipeline.train import held_out_ids
from audioae.progress import Progress
from audioae.spacing import evenly_spaced

K = 10
MAX_HEARD = 400  # tracks with a clip on the page
N_PICTURES = 6


@dataclass(frozen=True)
class Evaluation:
    """`document` is all figures as plain data; `page` has besides what is drawn and heard."""

    document: dict[str, Any]
    page: PageData


def evaluate_store(
    library: Generation,
    *,
    truth: str | None = None,
    against: Sequence[str] = (),
    max_tracks: int = 2000,
    stability_tracks: int = 32,
    workers: Workers | None = None,
    report: Progress | None = None,
) -> Evaluation:
    """Evaluate the embeddings of a library.

    Parameters
    ----------
    library : Generation
    truth : str, optional
        A CSV or Parquet file with a column track_id or path, and numbers to be predicted.
    against : sequence of str
        Files of vectors of the same tracks, by track_id, to compare with.
    max_tracks : int
        Tracks to evaluate on, at most.
    stability_tracks : int
        Tracks to perturb; 0 leaves the certificate out.

    Raises
    ------
    EvaluationError
        If vectors, IDs or files do not fit (see `library.track_vectors`), or there are fewer than two tracks.
    """
    workers, report = workers or Workers(), report or (lambda what, done, total: None)
    subject = vectors_from_store(library.store, library.embeddings_ref, max_tracks)
    omitted = list(subject.omitted)
    if truth:
        targets, left_out = read_truth(truth, subject)
        subject, omitted = with_targets(subject, targets), [*omitted, *left_out]
    subject, others, left_out = align_vectors(subject, against)
    omitted += left_out
    clips = read_clips(library, subject, workers, report)
    heard = _heard_rows(subject)
    described, left_out = analyze_tracks(library, subject, workers, report, estimate=not truth, heard=set(heard))
    omitted += left_out
    if not truth:
        subject = with_targets(subject, estimated_targets(described, subject.metadata.n))
        omitted.append("R2 of instrumentalness: no truth given, and librosa cannot estimate it")

    report("baselines", 0, 1)
    features = track_features(described, subject.metadata.n)
    made = baselines(clips.codes, clips.peak_db, clips.track, features=features)
    vectors = {
        OWN: subject.vectors,
        **others,
        **{n: check_vectors(v, subject.metadata.ids, n) for n, v in made.items()},
    }
    report("baselines", 1, 1)
    answers = _ask(vectors, subject, report)

    held_out = np.isin(subject.metadata.ids, list(held_out_ids(library.store, library.model_ref)))
    rebuilt, use = reconstruction.measure(
        clips.codes, clips.track, subject.metadata, library.embedder, held_out=held_out
    )
    certificate = _certify(library, subject, clips, stability_tracks, workers, report)
    if certificate:
        omitted += certificate.omitted
        for name, metric in certificate.same_track.items():
            answers[name] += MetricSet((metric,))
    else:
        omitted.append("stability: not asked for")
    document = _document(str(library.embeddings_ref), subject, answers, [*omitted, *rebuilt.omitted])
    document |= {
        "notes": [SAME_TRACK_CAVEAT] if certificate else [],
        "model": str(library.model_ref),
        "reconstruction": compare_answers({OWN: rebuilt}),
        "codebook": None
        if use is None
        else {
            "perplexity": use.perplexity.ravel().tolist(),
            "dead": round(float((use.dead_share * use.counts.shape[2]).sum())),
            "size": use.counts.shape[2],
            "usage": (use.counts / use.counts.sum(axis=2, keepdims=True)).reshape(-1, use.counts.shape[2]).tolist(),
        },
        "stability": [row for row in certificate.rows if row["embedding"] == OWN] if certificate else [],
        "stability_of_mfcc": [row for row in certificate.rows if row["embedding"] != OWN] if certificate else [],
    }
    return Evaluation(document, _page(document, subject, clips, described, library.embedder))


def evaluate_file(path: str, *, against: Sequence[str] = (), max_tracks: int = 2000) -> Evaluation:
    """Evaluate vectors from a Parquet or npz file: what can be asked of vectors alone.

    Raises
    ------
    EvaluationError
        As `library.track_vectors` says.
    """
    subject = vectors_from_file(path, max_tracks)
    subject, others, omitted = align_vectors(subject, against)
    answers = _ask({subject.name: subject.vectors, **others}, subject, lambda what, done, total: None)
    omitted = [*subject.omitted, *omitted, "baselines, stability, reconstruction: a file of vectors brings no audio"]
    document = _document(subject.name, subject, answers, omitted)
    queries = choose_queries(subject.metadata.labels)
    page = PageData(document, subject.vectors, subject.metadata, subject.titles, nearest(subject.vectors, queries))
    return Evaluation(document, page)


def _ask(vectors: Mapping[str, np.ndarray], subject: TrackVectors, report: Progress) -> dict[str, MetricSet]:
    """Every question of every set of vectors."""
    answers = {}
    for done, (name, own) in enumerate(vectors.items()):
        report(f"questions to {name}", done, len(vectors))
        metadata = subject.metadata
        answers[name] = (
            retrieval.measure(own, metadata, K) + probes.measure(own, metadata) + hubness.measure(own, metadata, K)
        )
    report("questions", len(vectors), len(vectors))
    return answers


def _document(
    name: str, subject: TrackVectors, answers: Mapping[str, MetricSet], omitted: Sequence[str]
) -> dict[str, Any]:
    own = next(iter(answers))
    predicted = probes.label_predictions(subject.vectors, subject.metadata)
    hubs = hubness.biggest_hubs(subject.vectors, K)
    return {
        "subject": name,
        "n_tracks": subject.metadata.n,
        "k": K,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "metrics": compare_answers(answers),
        "omitted": list(dict.fromkeys([*omitted, *answers[own].omitted])),
        "hubs": hub_rows(hubs, subject.metadata, subject.titles),
        "confusion": None if isinstance(predicted, str) else confusion(subject.metadata.labels, *predicted),
    }


def _heard_rows(subject: TrackVectors) -> list[int]:
    """Tracks that get a clip on the page: those of the gallery, then as many of the map's as fit."""
    queries = nearest(subject.vectors, choose_queries(subject.metadata.labels))
    gallery = [row for found in queries for row in (found.query, *found.rows)]
    mapped = map_rows(subject.metadata.n)
    return list(dict.fromkeys([*gallery, *mapped[evenly_spaced(len(mapped), MAX_HEARD)].tolist()]))[:MAX_HEARD]


def _certify(
    library: Generation, subject: TrackVectors, clips: TrackClips, n_tracks: int, workers: Workers, report: Progress
) -> Robustness | None:
    if not n_tracks:
        return None
    of_catalog = mfcc_statistics(clips.codes, clips.peak_db, clips.track)
    mean, deviation = of_catalog.mean(axis=0), np.maximum(of_catalog.std(axis=0), 1e-9)

    def vectorize(tracks: Sequence[Clips]) -> np.ndarray:
        codes, peaks = (np.concatenate(parts) for parts in zip(*tracks, strict=True))
        track = np.repeat(np.arange(len(tracks)), [len(own) for own, _ in tracks])
        return (mfcc_statistics(codes, peaks, track) - mean) / deviation

    mfcc = EmbeddingSpace(((of_catalog - mean) / deviation).astype(np.float32), vectorize)
    return measure_robustness(
        library,
        subject.metadata.ids.tolist(),
        spaces={"MFCC": mfcc},
        n_tracks=n_tracks,
        workers=workers,
        on_progress=lambda done, total: report("stability", done, total),
    )


def _page(
    document: Mapping[str, Any],
    subject: TrackVectors,
    clips: TrackClips,
    described: Mapping[int, TrackAudio],
    embedder: Embedder,
) -> PageData:
    order = np.argsort(clips.track, kind="stable")
    starts = np.searchsorted(clips.track[order], np.arange(subject.metadata.n))
    mels = {
        row: decode_mel(clips.codes[order[starts[row] + found.clip]]) for row, found in described.items() if found.audio
    }
    chosen = evenly_spaced(len(clips.codes), N_PICTURES)
    return PageData(
        {**document, "reconstruction": {m["key"]: m["subjects"][OWN] for m in document["reconstruction"]}},
        subject.vectors,
        subject.metadata,
        subject.titles,
        nearest(subject.vectors, choose_queries(subject.metadata.labels)),
        mels,
        {row: found.audio for row, found in described.items() if found.audio},
        (decode_mel(clips.codes[chosen]), embedder.reconstruct(clips.codes[chosen])),
    )
