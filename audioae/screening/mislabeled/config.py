"""The settings of the check mislabeled."""

from pydantic import Field

from audioae.config import Config


class MislabeledConfig(Config):
    """How labels are checked. A track is an issue if at least `precision` of the tracks with such a score are wrong.

    `neighbors` votes count per track; a label needs `min_tracks` recordings to be checked. The self-test swaps
    `planted_share` of the labels in a copy. `budget` is the number of findings that a person would look at: precision
    and recall are measured there, and that many of the lowest scores get evidence. Of a catalog of more than
    `max_tracks`, a random sample of so many judges the labels of all tracks.
    """

    neighbors: int = Field(default=30, ge=1, le=1000)
    min_tracks: int = Field(default=3, ge=2)
    precision: float = Field(default=0.5, gt=0, le=1)
    planted_share: float = Field(default=0.08, gt=0, le=0.5)
    budget: int = Field(default=200, ge=1)
    max_tracks: int = Field(default=100_000, ge=1000)
    seed: int = Field(default=0, ge=0)
