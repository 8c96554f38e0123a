"""Places of the latent space to look at: a track's own, the way between two, a sweep of one dimension, a grid.

Conventions
-----------
- Places are (n, 128), float32: embeddings as `latent_facts.place_of` gives them, or latents (of a grid).
- A way is that of a playlist's preview (`playlists.path.interpolate_places`), or has equal steps on the chord (linear).
- A sweep sets one dimension of a track's place, and leaves the others as they are. The range of a dimension is from its
  percentile 1 to 99 over the catalog.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from audioae.errors import ModelError
from audioae.explore.codes import dimension_ranges
from audioae.explore.decoding import Space, decode_places
from audioae.explore.latent_facts import is_two_dimensional, place_of
from audioae.library.generation import Generation
from audioae.model.latent_grid import grid_latents
from audioae.playlists.path import interpolate_places

MAX_FRAMES = 225
MAX_GRID = 15

Way = Literal["spherical", "linear"]


@dataclass(frozen=True, eq=False)
class Places:
    """Places to decode.

    Attributes
    ----------
    places : np.ndarray, shape (n, 128), float32
    space : str
        "embedding" or "latent".
    values : np.ndarray, shape (n,), or None
        Of a sweep: the value of the dimension. Of a way: the share of the way. None of a grid or a single track.
    columns : int
        How many places are in a row when they are drawn.
    track_value : float or None
        Of a sweep: the track's own value.
    """

    places: np.ndarray
    space: Space = "embedding"
    values: np.ndarray | None = None
    columns: int = 1
    track_value: float | None = None

    def decode(self, library: Generation) -> np.ndarray:
        """Their mels (n, 128, 130), uint8. Raises `ModelError` if the model cannot be run."""
        return decode_places(library, self.places, self.space)


def of_track(library: Generation, track_id: str) -> Places:
    """The place of one track. Raises `SearchError` if it has none."""
    return Places(place_of(library, track_id)[None])


def between(library: Generation, start: str, end: str, steps: int, way: Way = "spherical") -> Places:
    """`steps` evenly spaced places from one track to another, both included. Raises `SearchError`."""
    ends = np.stack([place_of(library, start), place_of(library, end)])
    shares = np.linspace(0, 1, steps)
    places = (
        interpolate_places(ends, steps)
        if way == "spherical"
        else ((1 - shares[:, None]) * ends[0] + shares[:, None] * ends[1]).astype(np.float32)
    )
    return Places(places, values=shares, columns=steps)


def sweep(library: Generation, track_id: str, dimension: int, values: np.ndarray | int) -> Places:
    """A track's place with other values of one dimension: the given ones, or as many over the dimension's range.

    Raises
    ------
    SearchError
        If the track has no place.
    ModelError, StoreError
        If the range is not known yet and cannot be computed.
    """
    place = place_of(library, track_id)
    low, high = dimension_ranges(library)[:, dimension].tolist() if isinstance(values, int) else (0.0, 0.0)
    chosen = np.linspace(low, high, values) if isinstance(values, int) else values
    places = np.tile(place, (len(chosen), 1))
    places[:, dimension] = chosen
    return Places(places, values=chosen, columns=len(chosen), track_value=float(place[dimension]))


def grid(library: Generation, n: int = MAX_GRID) -> Places:
    """An n x n grid of a two-dimensional latent space, row by row from the top left (`model.latent_space`).

    Raises
    ------
    ModelError
        If the model is no two-dimensional VAE.
    """
    if not is_two_dimensional(library):
        raise ModelError(
            f"{library.model_ref} has no latent space of two dimensions, and no grid; train one (model: vae_2d)"
        )
    return Places(grid_latents(n), "latent", columns=n)
