"""Generation: mels that a store's model draws, and how far they are from the catalog's clips.

Conventions
-----------
- The distance is the Fréchet distance between sets of clip embeddings, by the model's own embedding: what that does not
  tell apart, the distance does not see, and distances of two models are not on one scale (`metrics.frechet`).
- The reference is real clips of half of the artists. Everything is compared with it in sets of `n` clips each:
  "drawn" (samples), "real" (clips of the other artists: as close as anything can be), "rebuilt" (the same clips,
  encoded and decoded: what the decoder loses), "noise" (white noise, which is far).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from audioae.audio.mel import encode_mel, log_mel
from audioae.constants import CLIP_SAMPLES
from audioae.errors import EvaluationError
from audioae.library.generation import Generation
from audioae.library.track_clips import read_clips
from audioae.library.track_vectors import vectors_from_store
from audioae.metrics.frechet import frechet_distance
from audioae.model.embedder import Embedder
from audioae.model.latent_space import decode_embeddings, decode_latents
from audioae.model.sampling import draw_latents
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.spacing import evenly_spaced

N_CLIPS = 512
MIN_CLIPS = 16
MAX_TRACKS = 400
ENOUGH = 2 * 128  # clips per set from which a covariance of 128 units has all its axes, twice over
BLOCK = 64


@dataclass(frozen=True, eq=False)
class Drawn:
    """Drawn mels (n, 128, 130), uint8, and the distances as a document: model, n, distances, notes."""

    mels: np.ndarray
    document: dict[str, Any]


def draw_and_measure(
    library: Generation,
    n: int = N_CLIPS,
    seed: int = 0,
    *,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> Drawn:
    """Draw mels from the model's prior, and measure their distance to the catalog.

    Parameters
    ----------
    library : Generation
    n : int
        Clips in each set, if the catalog has twice as many.
    seed : int
    workers, progress : optional

    Raises
    ------
    ModelError
        If the model has nothing to draw from.
    EvaluationError
        If there are too few clips.
    """
    workers, progress = workers or Workers(), progress or (lambda what, done, total: None)
    embedder, rng = library.embedder, np.random.default_rng(seed)
    draw_latents(embedder, 1, np.zeros((1, 128), np.float32))  # before any clip is read
    reference, held_out = _two_sets(library, n, rng, workers, progress)
    n = len(reference)
    progress("drawing", 0, 1)
    own, real = _embed(embedder, reference), _embed(embedder, held_out)
    mels = decode_latents(embedder, draw_latents(embedder, n, own, seed))
    sets = {
        "drawn": _embed(embedder, mels),
        "real": real,
        "rebuilt": _embed(embedder, decode_embeddings(embedder, real)),
        "noise": _embed(embedder, _noise(n, rng)),
    }
    progress("drawing", 1, 1)
    distances = {name: frechet_distance(own, vectors) for name, vectors in sets.items()}
    notes = [] if n >= ENOUGH else [f"{n} clips per set: distances are too large by a part that all of them share"]
    return Drawn(mels, {"model": str(library.model_ref), "n": n, "distances": distances, "notes": notes})


def _two_sets(
    library: Generation, n: int, rng: np.random.Generator, workers: Workers, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Codes of as many clips of half of the artists as of the others, at most `n` of each."""
    tracks = vectors_from_store(library.store, library.embeddings_ref, MAX_TRACKS)
    clips = read_clips(library, tracks, workers, progress)
    artist = tracks.metadata.groups[clips.track]
    artists = rng.permutation(np.unique(artist))
    first = np.isin(artist, artists[: len(artists) // 2])
    sides = [np.flatnonzero(first), np.flatnonzero(~first)]
    n = min(n, *map(len, sides))
    if n < MIN_CLIPS:
        raise EvaluationError(
            f"generation: got {len(first)} clips of {len(artists)} artists, wanted at least {MIN_CLIPS} of each half "
            "of the artists; add tracks to the catalog"
        )
    reference, held_out = (clips.codes[side[evenly_spaced(len(side), n)]] for side in sides)
    return reference, held_out


def _embed(embedder: Embedder, codes: np.ndarray) -> np.ndarray:
    return embedder.embed(codes)[0]


def _noise(n: int, rng: np.random.Generator) -> np.ndarray:
    """Mel codes of white noise, (n, 128, 130), uint8."""
    blocks = [
        encode_mel(log_mel(0.1 * rng.standard_normal((min(BLOCK, n - start), CLIP_SAMPLES)).astype(np.float32)))[0]
        for start in range(0, n, BLOCK)
    ]
    return np.concatenate(blocks)
