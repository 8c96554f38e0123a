"""Make a listening test of a store: its trials, and the excerpts that are heard.

Conventions
-----------
- Trials are drawn from at most `MAX_TRACKS` tracks, evenly spaced over the catalog; "nearest" is among these.
- A person hears 3 s of a track, its middle clip as a rule; the embedding is of the whole track.
- A clip's key says nothing about its track, and every clip is in the page once.
- A trial whose audio cannot be read is omitted, and a sentence says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.audio.excerpt import Excerpt, excerpt
from audioae.audio.workers import imap_killable
from audioae.catalog.paths import path_of
from audioae.config import fingerprint
from audioae.errors import AudioError, EvaluationError
from audioae.library.generation import Generation
from audioae.library.track_vectors import TrackVectors, vectors_from_store
from audioae.listening.triplets import Heard, Triplet, draw_triplets
from audioae.pipeline.config import Workers
from audioae.progress import Progress

MAX_TRACKS = 20_000


@dataclass(frozen=True, eq=False)
class ListeningTest:
    """What a page asks, and what its answers name.

    Attributes
    ----------
    test : str
        The same for the same trials, whoever listens.
    store, embeddings, made : str
        Where the tracks are from, the embeddings that drew the trials, and the date.
    trials : sequence of mapping
        x, a and b: track_id, start_s and clip; difficulty; repeated.
    clips : mapping of str to bytes
        An MP3 file by the key of each clip.
    omitted : tuple of str
        A sentence for what was left out.
    """

    test: str
    store: str
    embeddings: str
    made: str
    trials: Sequence[Mapping[str, Any]]
    clips: Mapping[str, bytes]
    omitted: tuple[str, ...] = ()


def make_test(
    library: Generation,
    pairs: int = 20,
    seed: int = 0,
    *,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> ListeningTest:
    """Draw trials, and read what they need of the audio.

    Parameters
    ----------
    library : Generation
    pairs : int
        Number of triplets; catch trials and repeated ones come on top.
    seed : int
        The same store, pairs and seed give the same test: the answers of several persons can be compared.
    workers : Workers, optional
        Decoding processes.
    progress : Progress, optional

    Raises
    ------
    EvaluationError
        If there are too few tracks by different artists, or no audio can be read.
    """
    workers, progress = workers or Workers(), progress or (lambda what, done, total: None)
    tracks = vectors_from_store(library.store, library.embeddings_ref, MAX_TRACKS)
    places = library.columns.ids.rows_of(pa.array(tracks.metadata.ids, pa.string()))
    catalog = library.tracks.select(["uri", "path_bytes", "duration_s"]).take(pa.array(places))
    durations = catalog["duration_s"].to_numpy(zero_copy_only=False).astype(np.float64)
    recordings = _recordings(library, places)
    triplets = draw_triplets(tracks.vectors, tracks.metadata.groups, recordings, durations, pairs, seed)

    heard = list(dict.fromkeys(part for trial in triplets for part in (trial.x, trial.a, trial.b)))
    rows = catalog.take(pa.array([part.row for part in heard])).to_pylist()
    excerpts, failures = _read(heard, rows, library, workers, progress)
    read = [trial for trial in triplets if not {trial.x, trial.a, trial.b} & set(failures)]
    if not read:
        raise EvaluationError(f"listening test: no audio can be read, the first: {next(iter(failures.values()))}")
    return _test(library, tracks, read, excerpts, (*tracks.omitted, *_omitted(triplets, read, failures)), seed)


def _recordings(library: Generation, places: np.ndarray) -> np.ndarray:
    """A number per recording, shape (n,): near duplicates share one if the index of these embeddings found them."""
    index = library.store.latest("index")
    if index is None or library.store.manifest(index).parent("embeddings") != library.embeddings_ref:
        return np.arange(len(places))
    rows = library.alignment.index_row[places]
    return np.where(rows >= 0, library.alignment.group[rows], -1 - np.arange(len(places)))


def _read(
    heard: Sequence[Heard],
    rows: Sequence[Mapping[str, Any]],
    library: Generation,
    workers: Workers,
    progress: Progress,
) -> tuple[dict[Heard, Excerpt], dict[Heard, str]]:
    """The excerpts, and why others cannot be read."""
    clips = library.mels_config.clips
    items = ((i, (path_of(row), heard[i].start_s, clips)) for i, row in enumerate(rows))
    excerpts: dict[Heard, Excerpt] = {}
    failures: dict[Heard, str] = {}
    for done, (i, result) in enumerate(
        imap_killable(excerpt, items, workers=workers.n, timeout_s=workers.timeout_s), 1
    ):
        if isinstance(result, AudioError):
            failures[heard[i]] = f"{rows[i]['uri']}: {result}"
        else:
            excerpts[heard[i]] = result
        progress("audio", done, len(heard))
    return excerpts, failures


def _test(
    library: Generation,
    tracks: TrackVectors,
    triplets: Sequence[Triplet],
    excerpts: Mapping[Heard, Excerpt],
    omitted: tuple[str, ...],
    seed: int,
) -> ListeningTest:
    heard = list(dict.fromkeys(part for trial in triplets for part in (trial.x, trial.a, trial.b)))
    shuffled = np.random.default_rng(seed).permutation(len(heard)).tolist()
    keys = {heard[i]: f"c{place}" for place, i in enumerate(shuffled)}

    def named(part: Heard) -> dict[str, Any]:
        track_id = str(tracks.metadata.ids[part.row])
        return {"track_id": track_id, "start_s": round(excerpts[part].start_s, 2), "clip": keys[part]}

    trials = [
        {
            **{name: named(getattr(trial, name)) for name in ("x", "a", "b")},
            "difficulty": trial.difficulty,
            "repeated": trial.repeated,
        }
        for trial in triplets
    ]
    return ListeningTest(
        fingerprint(trials),
        library.store.root,
        str(library.embeddings_ref),
        datetime.now(UTC).date().isoformat(),
        trials,
        {keys[heard[i]]: excerpts[heard[i]].audio for i in shuffled},
        omitted,
    )


def _omitted(drawn: Sequence[Triplet], read: Sequence[Triplet], failures: Mapping[Heard, str]) -> list[str]:
    sentences = []
    if failures:
        first = next(iter(failures.values()))
        sentences.append(
            f"{len(drawn) - len(read)} of {len(drawn)} trials: the audio of {len(failures)} excerpts cannot be read, "
            f"the first: {first}"
        )
    if not any(trial.difficulty == "catch" for trial in read):
        sentences.append("catch trials: no track is known to be long enough for two excerpts")
    return sentences
