"""Score answers with a store: its current embeddings, and the MFCC of the same tracks as a baseline.

Conventions
-----------
- The embeddings that score need not be those that drew the trials; the document names both.
- MFCC are computed from the tracks' clips; each number is divided by its deviation over the tracks of the trials.
- A track that the embeddings lack leaves out its trials, and a sentence says how many.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audioae.errors import AudioaeError, EvaluationError
from audioae.library.generation import Generation
from audioae.library.track_clips import read_clips
from audioae.library.track_metadata import check_vectors, make_metadata
from audioae.library.track_vectors import OWN, TrackVectors
from audioae.listening import score
from audioae.listening.answers import Answers
from audioae.metrics.baselines import mfcc_statistics
from audioae.pipeline.config import Workers
from audioae.pipeline.embeddings import take_embeddings
from audioae.progress import Progress

BASELINE = "MFCC"
MAX_FAILED = 1 / 3  # share of catch trials that a listener who attends may fail


def score_answers(
    library: Generation,
    files: Sequence[Answers],
    *,
    with_baseline: bool = True,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Score answers as one document.

    Parameters
    ----------
    library : Generation
        The embeddings that are scored.
    files : sequence of Answers
    with_baseline : bool
        Whether to score MFCC too, which reads the clips of the tracks.
    workers, progress : optional

    Returns
    -------
    dict
        embeddings, drawn_with, listeners, agreement, compared, consistency, between_listeners, sentences, omitted.

    Raises
    ------
    EvaluationError
        If no track of the answers has an embedding, or there is no answer to score.
    """
    heard = score.first_answers(files)
    own, absent = _own_vectors(library, sorted({track for trial in heard.tracks for track in trial}))
    vectors, omitted = {OWN: own}, []
    if absent:
        lost = sum(not {*trial} <= own.keys() for trial in heard.tracks)
        omitted.append(f"{lost} of {len(heard.tracks)} answers: {absent} tracks have no embedding in this version")
    if with_baseline:
        try:
            progress = progress or (lambda what, done, total: None)
            vectors[BASELINE] = _mfcc(library, own, workers or Workers(), progress)
        except AudioaeError as error:
            omitted.append(f"{BASELINE}: {error}")
    listeners = score.listener_rows(files, heard, own)
    document = {
        "embeddings": str(library.embeddings_ref),
        "drawn_with": sorted({file.embeddings for file in files}),
        "listeners": listeners,
        "agreement": score.agreements(heard, vectors),
        "compared": score.compared(heard, vectors),
        "consistency": score.consistency(files),
        "between_listeners": score.between_listeners(heard),
        "omitted": omitted,
    }
    return {**document, "sentences": _sentences(document)}


def _own_vectors(library: Generation, ids: Sequence[str]) -> tuple[dict[str, np.ndarray], int]:
    """Embeddings by track ID, and how many tracks have none; of all embeddings, only the IDs are read."""
    all_ids = library.store.read(library.embeddings_ref, ["track_id"])["track_id"].combine_chunks()
    rows = pc.drop_null(pc.index_in(pa.array(ids, pa.string()), value_set=all_ids)).to_numpy().astype(np.int64)
    if not len(rows):
        raise EvaluationError(
            f"{library.embeddings_ref}: none of the {len(ids)} tracks of the answers; name the --store that they are of"
        )
    table = take_embeddings(library.store, library.embeddings_ref, rows)
    found = table.track_ids.to_pylist()
    vectors = check_vectors(table.embeddings, np.array(found), str(library.embeddings_ref))
    return dict(zip(found, vectors, strict=True)), len(ids) - len(found)


def _mfcc(library: Generation, own: score.Vectors, workers: Workers, progress: Progress) -> dict[str, np.ndarray]:
    ids = sorted(own)
    tracks = TrackVectors(OWN, np.stack([own[track] for track in ids]), make_metadata(ids), ids)
    clips = read_clips(library, tracks, workers, progress)
    with_clips, place = np.unique(clips.track, return_inverse=True)
    statistics = mfcc_statistics(clips.codes, clips.peak_db, place)
    scaled = (statistics - statistics.mean(axis=0)) / np.maximum(statistics.std(axis=0), 1e-9)
    known = np.array(ids)[with_clips]
    return dict(zip(known.tolist(), check_vectors(scaled, known, BASELINE), strict=True))


def _sentences(document: dict[str, Any]) -> list[str]:
    """What the figures mean, and what they do not."""
    sentences = []
    if document["drawn_with"] != [document["embeddings"]]:
        drawn = ", ".join(document["drawn_with"])
        sentences.append(f"the trials were drawn with {drawn}; agreement is that of {document['embeddings']}")
    n = len(document["listeners"])
    if n < score.MIN_LISTENERS:
        sentences.append(
            f"{n} of at least {score.MIN_LISTENERS} listeners: intervals cover the choice of trials, not of listeners"
        )
    for row in document["listeners"]:
        if row["catch"] and row["catch_failed"] > MAX_FAILED * row["catch"]:
            failed = f"{row['catch_failed']} of {row['catch']}"
            sentences.append(f"{row['listener']} failed {failed} catch trials; consider leaving this file out")
    if not document["consistency"]:
        sentences.append("self-consistency: no repeated trial was answered both times")
    if between := document["between_listeners"]:
        sentences.append(
            f"no vectors can agree with such listeners in more than {between['ceiling']:.2f} of the trials"
        )
    else:
        sentences.append("agreement between listeners: no two answered the same trial")
    return sentences
