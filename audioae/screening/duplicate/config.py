"""The settings of the check duplicate."""

from audioae.config import Config


class DuplicateConfig(Config):
    """Which copies count: with `near: false` only those with the same bytes."""

    near: bool = True
