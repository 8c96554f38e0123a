"""The settings of the stage similar."""

from pydantic import Field

from audioae.config import Config


class SimilarConfig(Config):
    """How many neighbors each track gets."""

    k: int = Field(default=20, ge=1, le=1000)
