"""The settings of the check corrupt."""

from pydantic import Field

from audioae.config import Config

N_FAULTS = 16  # of `faults.FAULTS`, which is not imported here because it loads scipy


class CorruptConfig(Config):
    """How strict the rules are, and how many tracks are decoded again to train the classifier.

    A rule's limit is this `percentile` of the catalog. Each of `n_sample` tracks gets `n_faults` of the faults in
    `faults.py`, one at a time; 0 tracks: rules only. The classifier may flag `false_positive_rate` of the clean tracks.
    `leave_out` also measures how well it finds a fault that it was not trained on. `n_long` tracks that are longer than
    `decode.whole_up_to_s` are decoded from end to end: faults can hide between their clips. Of a catalog of more than
    `max_tracks`, a random sample of so many says what is normal; all tracks are scored.
    """

    percentile: float = Field(default=99.5, gt=50, lt=100)
    n_sample: int = Field(default=64, ge=0)
    n_faults: int = Field(default=5, ge=1, le=N_FAULTS)
    false_positive_rate: float = Field(default=0.005, gt=0, le=0.1)
    n_long: int = Field(default=32, ge=0)
    leave_out: bool = True
    max_tracks: int = Field(default=200_000, ge=1000)
