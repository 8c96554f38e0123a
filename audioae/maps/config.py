"""The settings of the stage map."""

from pydantic import Field

from audioae.config import Config


class MapConfig(Config):
    """How the map is laid out.

    The layout is fitted to a `sample` of the tracks, those with the smallest hashes of their IDs; the others are placed
    among their nearest neighbors in the sample. `n_neighbors` and `min_dist` are those of UMAP: more neighbors show
    more of the whole and less detail; a smaller distance packs similar tracks closer. A region has at least
    `min_region` tracks of the sample (null: a hundredth of them, and at least 5).
    """

    sample: int = Field(default=100_000, ge=3, le=100_000)
    n_neighbors: int = Field(default=15, ge=2, le=200)
    min_dist: float = Field(default=0.1, ge=0, le=1)
    min_region: int | None = Field(default=None, ge=2)
    seed: int = Field(default=0, ge=0)
