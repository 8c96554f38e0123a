"""Decode places of the latent space, and make mels audible, in processes that are killed if they take too long.

Conventions
-----------
- Mels are uint8 codes (n, 128, 130). The calling process loads no torch and no scipy.
- Sound is MP3, and an illustration: Griffin-Lim estimates the phases, so no track sounds like it.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from audioae.audio.workers import call_killable
from audioae.errors import AudioError, ModelError
from audioae.library.generation import Generation
from audioae.pipeline.embed_outside import worker_embedder
from audioae.store.manifest import DatasetRef

TIMEOUT_S = 30.0

Space = Literal["embedding", "latent"]


def decode_places(library: Generation, places: np.ndarray, space: Space = "embedding") -> np.ndarray:
    """Decode places (n, 128), float32, which are embeddings or latents, to mels.

    Raises
    ------
    ModelError
        If the model cannot be run, or takes too long.
    """
    return _call(library, _decode, places, space)


def decode_one_code(library: Generation, counts: np.ndarray, book: int, code: int) -> np.ndarray:
    """What `model.latent_space.decode_code` gives: the mel of a code, and that of the means, (2, 128, 130).

    Raises
    ------
    ModelError
        As above.
    """
    return _call(library, _decode_code, np.asarray(counts), book, code)


def decode_grid_codes(library: Generation, book: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The up to `n` most used codes of a book of the model's grid: codes, shares, and mels as `decode_one_code` gives.

    Raises
    ------
    ModelError
        As above, or if the model has no grid, or not so many books.
    """
    return _call(library, _decode_grid_codes, book, n)


def make_audible(mel: np.ndarray) -> bytes:
    """A mel (128, 130), uint8, as 3 s of MP3.

    Raises
    ------
    ModelError
        If that takes too long.
    """
    try:
        return call_killable(_sound, mel, timeout_s=TIMEOUT_S, prepare=_prepare_sound)
    except AudioError as error:
        raise ModelError(f"a mel could not be made audible: {error}") from None


def _call(library: Generation, function: Callable[..., Any], *arguments: Any) -> Any:
    where = library.store.root, library.model_ref
    try:
        return call_killable(function, *where, *arguments, timeout_s=TIMEOUT_S, prepare=_load)
    except AudioError as error:
        raise ModelError(f"{library.model_ref} could not decode: {error}") from None


def _decode(root: str, model: DatasetRef, places: np.ndarray, space: Space) -> np.ndarray:
    from audioae.model.latent_space import decode_embeddings, decode_latents

    return (decode_latents if space == "latent" else decode_embeddings)(worker_embedder(root, model), places)


def _decode_code(root: str, model: DatasetRef, counts: np.ndarray, book: int, code: int) -> np.ndarray:
    from audioae.model.latent_space import decode_code

    return decode_code(worker_embedder(root, model), counts, book, code)


def _decode_grid_codes(root: str, model: DatasetRef, book: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from audioae.model.grid_space import decode_grid_code, grid_usage

    embedder = worker_embedder(root, model)
    shares = grid_usage(embedder)
    if book >= len(shares):
        raise ModelError(f"got book {book}, but the grid of {model} has {len(shares)}; count from 0")
    codes = np.argsort(-shares[book], kind="stable")[:n]
    return codes, shares[book][codes], np.stack([decode_grid_code(embedder, book, int(code)) for code in codes])


def _load(root: str, model: DatasetRef, *_: object) -> None:
    import audioae.model.grid_space  # noqa: F401

    worker_embedder(root, model)


def _sound(mel: np.ndarray) -> bytes:
    from audioae.audio.griffin_lim import mel_waveform
    from audioae.audio.mel import decode_mel
    from audioae.audio.preview import clip_audio
    from audioae.constants import SAMPLE_RATE

    return clip_audio(mel_waveform(decode_mel(mel)), SAMPLE_RATE)


def _prepare_sound(_mel: np.ndarray) -> None:
    import audioae.audio.griffin_lim
    import audioae.audio.preview  # noqa: F401
    from audioae.audio.librosa_modules import librosa

    _ = librosa.griffinlim  # librosa imports its parts when they are first used
