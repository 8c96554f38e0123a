"""The settings of the check generated."""

from pydantic import Field

from audioae.config import Config


class GeneratedConfig(Config):
    """How much of a track is measured, how many tracks are resynthesized, and how many real ones may be flagged.

    At most `max_sections` sections of 3 s are measured per track. Excerpts of `excerpt_s` (3 s from shorter tracks) are
    resynthesized until they add up to `sample_s`: 24 of 6 s, or 48 of 3 s. `false_positive_rate` is the share of real
    tracks that may be called generated. `decoders` are TorchScript files from waveform to waveform
    (`model.torchscript_decoder`) that the detector learns to recognize as well.
    """

    max_sections: int = Field(default=6, ge=1, le=1000)
    sample_s: float = Field(default=144.0, gt=0, le=1e6)
    excerpt_s: float = Field(default=6.0, ge=3.0, le=60.0)
    false_positive_rate: float = Field(default=0.01, gt=0, lt=0.5)
    decoders: tuple[str, ...] = ()
    seed: int = 0
