"""The settings of the demo catalog."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from audioae.config import Config

PLANTED, BEGUN = "planted.json", ".synth"  # files of a finished demo catalog, and of one that is not finished


class SynthConfig(Config):
    """The demo catalog. The same config gives the same music, whatever the number of workers (None: one per core).

    `purpose: evaluation` makes the catalog for probes of tempo, energy and instrumentalness: see `variety`.
    """

    ADDED: ClassVar[dict[str, Any]] = {"purpose": "demo"}  # newer than catalogs that exist

    n_tracks: int = Field(default=176, ge=12, le=100_000)  # at least one per style
    seed: int = Field(default=0, ge=0)
    min_s: float = Field(default=20.0, ge=4.0)
    max_s: float = Field(default=30.0, le=600.0)
    faults: bool = True
    purpose: Literal["demo", "evaluation"] = "demo"
    workers: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_s > self.max_s:
            raise ValueError(f"min_s {self.min_s:g} is above max_s {self.max_s:g}")
        return self

    @property
    def decisive(self) -> dict[str, Any]:
        """What the music depends on. Settings in `ADDED` are left out at their default: old catalogs stay valid.

        >>> sorted(SynthConfig(workers=2).decisive)
        ['faults', 'max_s', 'min_s', 'n_tracks', 'seed']
        """
        values = self.model_dump(mode="json", exclude={"workers"})
        return {name: value for name, value in values.items() if name not in self.ADDED or value != self.ADDED[name]}
