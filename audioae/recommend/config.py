"""Settings of the stage recommend. Reading them loads neither scipy nor scikit-learn."""

from pydantic import Field

from audioae.config import Config

HALF_LIFE_DAYS = 120.0


class RecommendConfig(Config):
    """`plays` is a CSV or Parquet file with the columns listener_id, track_id and, optionally, weight and played_at.

    The table has `k` tracks per listener. The weight of a play halves every `half_life_days`.
    """

    plays: str
    k: int = Field(default=20, ge=1)
    half_life_days: float = Field(default=HALF_LIFE_DAYS, gt=0)
