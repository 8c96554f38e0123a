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

from audioae.audio.describe import Description
from audioae.audio.mel import decode_mel
from audioae.errors import EvaluationError
from audioae.evaluate import hubness, probes, reconstruction, retrieval
from audioae.evaluate.baselines import baselines, mfcc_statistics
from audioae.evaluate.document import compare_answers, confusion, hub_rows
from audioae.evaluate.facts import check_vectors
from audioae.evaluate.metric import Answer
from audioae.evaluate.page.layout import map_rows
from audioae.evaluate.page.neighbors import choose_queries, nearest
from audioae.evaluate.page.page import PageData
from audioae.evaluate.stability import SAME_TRACK_CAVEAT
from audioae.model.embedder import Embedder
from audioae.stages.certificate import OWN, Certificate, Clips, Space, certify
from audioae.stages.descriptions import Report, describe_tracks, estimated_targets, track_features
from audioae.stages.extraction import Workers, iter_clips, mel_codes
from audioae.stages.library import Library
from audioae.stages.subject import Subject, read_truth, subject_from_file, subject_from_store, take, with_targets
from audioae.stages.train import held_out_ids

K = 10
MAX_HEARD = 400  # tracks with a clip on the page
N_PICTURES = 6


@dataclass(frozen=True)
class Evaluation:
    """`document` is all figures as plain data; `page` has besides what is drawn and heard."""

    document: dict[str, Any]
    page: PageData


@dataclass(frozen=True)
class _Clips:
    """Clips of the subject's tracks: codes, peaks, and the row of each clip's track."""

    codes: np.ndarray
    peak_db: np.ndarray
    track: np.ndarray


def evaluate_store(
    library: Library,
    *,
    truth: str | None = None,
    against: Sequence[str] = (),
    max_tracks: int = 2000,
    stability_tracks: int = 32,
    workers: Workers | None = None,
    report: Report | None = None,
) -> Evaluation:
    """Evaluate the embeddings of a library.

    Parameters
    ----------
    library : Library
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
        If vectors, IDs or files do not fit (see `stages.subject`), or there are fewer than two tracks.
    """
    workers, report = workers or Workers(), report or (lambda what, done, total: None)
    subject = subject_from_store(library.store, library.embeddings_ref, max_tracks)
    omitted = list(subject.omitted)
    if truth:
        targets, left_out = read_truth(truth, subject)
        subject, omitted = with_targets(subject, targets), [*omitted, *left_out]
    subject, others, left_out = beside(subject, against)
    omitted += left_out
    clips = read_clips(library, subject, workers, report)
    heard = _heard_rows(subject)
    described, left_out = describe_tracks(library, subject, workers, report, estimate=not truth, heard=set(heard))
    omitted += left_out
    if not truth:
        subject = with_targets(subject, estimated_targets(described, subject.facts.n))
        omitted.append("R2 of instrumentalness: no truth given, and librosa cannot estimate it")

    report("baselines", 0, 1)
    features = track_features(described, subject.facts.n)
    made = baselines(clips.codes, clips.peak_db, clips.track, features=features)
    vectors = {OWN: subject.vectors, **others, **{n: check_vectors(v, subject.facts.ids, n) for n, v in made.items()}}
    report("baselines", 1, 1)
    answers = _ask(vectors, subject, report)

    held_out = np.isin(subject.facts.ids, list(held_out_ids(library.store, library.model_ref)))
    rebuilt, use = reconstruction.measure(clips.codes, clips.track, subject.facts, library.embedder, held_out=held_out)
    certificate = _certify(library, subject, clips, stability_tracks, workers, report)
    if certificate:
        omitted += certificate.omitted
        for name, metric in certificate.same_track.items():
            answers[name] += Answer((metric,))
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
        As `stages.subject` says.
    """
    subject = subject_from_file(path, max_tracks)
    subject, others, omitted = beside(subject, against)
    answers = _ask({subject.name: subject.vectors, **others}, subject, lambda what, done, total: None)
    omitted = [*subject.omitted, *omitted, "baselines, stability, reconstruction: a file of vectors brings no audio"]
    document = _document(subject.name, subject, answers, omitted)
    queries = choose_queries(subject.facts.labels)
    page = PageData(document, subject.vectors, subject.facts, subject.titles, nearest(subject.vectors, queries))
    return Evaluation(document, page)


def beside(subject: Subject, against: Sequence[str]) -> tuple[Subject, dict[str, np.ndarray], list[str]]:
    """The subject cut to the tracks that all files have, their vectors in its order, and what that left out."""
    files = [subject_from_file(path, max_tracks=10**9) for path in against]
    common = np.ones(subject.facts.n, bool)
    omitted = []
    for other in files:
        there = np.isin(subject.facts.ids, other.facts.ids)
        if not there.any():
            raise EvaluationError(
                f"{other.name}: none of its {other.facts.n} IDs is one of {subject.name}, "
                f"such as {subject.facts.ids[0]}"
            )
        if not there.all():
            omitted.append(f"{(~there).sum()} tracks are left out, because {other.name} has no vector of them")
        common &= there
    subject = take(subject, np.flatnonzero(common))
    vectors = {}
    for other in files:
        place = {track_id: row for row, track_id in enumerate(other.facts.ids)}
        vectors[other.name] = other.vectors[[place[track_id] for track_id in subject.facts.ids]]
    return subject, vectors, omitted


def _ask(vectors: Mapping[str, np.ndarray], subject: Subject, report: Report) -> dict[str, Answer]:
    """Every question of every set of vectors."""
    answers = {}
    for done, (name, own) in enumerate(vectors.items()):
        report(f"questions to {name}", done, len(vectors))
        facts = subject.facts
        answers[name] = retrieval.measure(own, facts, K) + probes.measure(own, facts) + hubness.measure(own, facts, K)
    report("questions", len(vectors), len(vectors))
    return answers


def _document(name: str, subject: Subject, answers: Mapping[str, Answer], omitted: Sequence[str]) -> dict[str, Any]:
    own = next(iter(answers))
    predicted = probes.label_predictions(subject.vectors, subject.facts)
    hubs = hubness.biggest_hubs(subject.vectors, K)
    return {
        "subject": name,
        "n_tracks": subject.facts.n,
        "k": K,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "metrics": compare_answers(answers),
        "omitted": list(dict.fromkeys([*omitted, *answers[own].omitted])),
        "hubs": hub_rows(hubs, subject.facts, subject.titles),
        "confusion": None if isinstance(predicted, str) else confusion(subject.facts.labels, *predicted),
    }


def read_clips(library: Library, subject: Subject, workers: Workers, report: Report) -> _Clips:
    """The clips of the subject's tracks, from stored mels where they are."""
    place = {str(track_id): row for row, track_id in enumerate(subject.facts.ids)}
    tracks = library.tracks.select(["track_id", "shard"]).to_pylist()
    shards = sorted({row["shard"] for row in tracks if row["track_id"] in place})
    codes, peaks, rows = [], [], []
    for done, (_, _, mels) in enumerate(
        iter_clips(library.store, library.tracks_ref, shards, library.mels_config, workers, keep_mels=False)
    ):
        row = np.array([place.get(track_id, -1) for track_id in mels["track_id"].to_pylist()], dtype=np.int64)
        codes.append(mel_codes(mels)[row >= 0])
        peaks.append(mels["peak_db"].to_numpy()[row >= 0])
        rows.append(row[row >= 0])
        report("clips", done + 1, len(shards))
    return _Clips(np.concatenate(codes), np.concatenate(peaks).astype(np.float32), np.concatenate(rows))


def _heard_rows(subject: Subject) -> list[int]:
    """Tracks that get a clip on the page: those of the gallery, then as many of the map's as fit."""
    queries = nearest(subject.vectors, choose_queries(subject.facts.labels))
    gallery = [row for found in queries for row in (found.query, *found.rows)]
    mapped = map_rows(subject.facts.n)
    return list(dict.fromkeys([*gallery, *mapped[:: -(-len(mapped) // MAX_HEARD)].tolist()]))[:MAX_HEARD]


def _certify(
    library: Library, subject: Subject, clips: _Clips, n_tracks: int, workers: Workers, report: Report
) -> Certificate | None:
    if not n_tracks:
        return None
    of_catalog = mfcc_statistics(clips.codes, clips.peak_db, clips.track)
    mean, deviation = of_catalog.mean(axis=0), np.maximum(of_catalog.std(axis=0), 1e-9)

    def vectorize(tracks: Sequence[Clips]) -> np.ndarray:
        codes, peaks = (np.concatenate(parts) for parts in zip(*tracks, strict=True))
        track = np.repeat(np.arange(len(tracks)), [len(own) for own, _ in tracks])
        return (mfcc_statistics(codes, peaks, track) - mean) / deviation

    mfcc = Space(((of_catalog - mean) / deviation).astype(np.float32), vectorize)
    return certify(
        library,
        subject.facts.ids.tolist(),
        spaces={"MFCC": mfcc},
        n_tracks=n_tracks,
        workers=workers,
        on_progress=lambda done, total: report("stability", done, total),
    )


def _page(
    document: Mapping[str, Any],
    subject: Subject,
    clips: _Clips,
    described: Mapping[int, Description],
    embedder: Embedder,
) -> PageData:
    order = np.argsort(clips.track, kind="stable")
    starts = np.searchsorted(clips.track[order], np.arange(subject.facts.n))
    mels = {
        row: decode_mel(clips.codes[order[starts[row] + found.clip]]) for row, found in described.items() if found.audio
    }
    chosen = np.unique(np.linspace(0, len(clips.codes) - 1, N_PICTURES).round().astype(int))
    return PageData(
        {**document, "reconstruction": {m["key"]: m["subjects"][OWN] for m in document["reconstruction"]}},
        subject.vectors,
        subject.facts,
        subject.titles,
        nearest(subject.vectors, choose_queries(subject.facts.labels)),
        mels,
        {row: found.audio for row, found in described.items() if found.audio},
        (decode_mel(clips.codes[chosen]), embedder.reconstruct(clips.codes[chosen])),
    )
