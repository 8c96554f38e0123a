"""What the latent space of a generation's model is like, without its weights; and where a track is in it.

Conventions
-----------
- A place is an embedding (128,), float32, scaled as the model's `embed` returns that of a clip.
- A stored embedding of a track has length 1. Its length is estimated as sqrt(128) * (1 - spread): that is the length of
  the mean over clips (`Embedder.mean`) if all clips have the length that `EmbeddingNorm` gives them on average. On 80
  tracks of the demo's catalog it is off by 17 % on average; decoded mels by 1.1 dB, and 75 % of codes are those of the
  true mean.
- A model has `levels * groups` books (`model.latent_space`), each with `codebook_size` codes.

Why an estimate: the length is not stored, and the audio or the mels of a track need not be there any more.
"""

import math

import numpy as np

from audioae.config import parse_config
from audioae.constants import EMBEDDING_DIM
from audioae.errors import UnknownTrackError
from audioae.library.generation import Generation
from audioae.library.records import Track
from audioae.model.bottlenecks import GaussianConfig, VqConfig
from audioae.model.config import ModelConfig


def model_config(library: Generation) -> ModelConfig:
    """The variant of the model that made the embeddings, from its manifest."""
    content = library.store.manifest(library.model_ref).config.get("model", {})
    return parse_config(ModelConfig, content, where=str(library.model_ref))


def book_shape(library: Generation) -> tuple[int, int]:
    """The number of books, and of the codes in each; (0, 0) if the model has no codebook."""
    config = model_config(library)
    if config.kind == "pca" or not isinstance(config.bottleneck, VqConfig):
        return 0, 0
    return config.bottleneck.levels * config.bottleneck.groups, config.bottleneck.codebook_size


def is_two_dimensional(library: Generation) -> bool:
    """Whether the model is a VAE whose latent space can be drawn as a grid."""
    config = model_config(library)
    return config.kind != "pca" and isinstance(config.bottleneck, GaussianConfig) and config.bottleneck.dim == 2


def lengths(spreads: np.ndarray) -> np.ndarray:
    """Estimate the lengths of the means over clips from the tracks' spreads, both (n,).

    >>> lengths(np.array([0.0, 0.5])).astype(int).tolist()
    [11, 5]
    """
    return math.sqrt(EMBEDDING_DIM) * (1 - np.asarray(spreads, np.float32))


def place_of(library: Generation, track_id: str) -> np.ndarray:
    """The place of a track.

    Raises
    ------
    UnknownTrackError
        If the catalog does not have the track.
    SearchError
        If the track has no embedding, with the reason.
    """
    track = _track(library, track_id)
    row = library.embedding_row(track)
    if row is None:
        return library.embedding_of(track)  # raises, and says why
    return np.asarray(row["embedding"], np.float32) * lengths(row["spread"])


def _track(library: Generation, track_id: str) -> Track:
    row = library.lookup.row_of(track_id)
    if row < 0:
        raise UnknownTrackError(f"no track_id {track_id!r} in {library.tracks_ref}; look it up by its title first")
    return library.lookup.track(row)
