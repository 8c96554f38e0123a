"""What a playlist shall be like: its length, its path, and the rules that it keeps.

Conventions
-----------
- Rules in the order in which they give way where not all can be kept: `RULES`. What never gives way: the waypoints and
  their order, the number of tracks, no track twice, at most one of a group of duplicates, and the caller's filters.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from audioae.config import Config

# What a breach of each rule costs.
RULES = {"tempo": 1.0, "energy": 1.0, "artist_window": 2.0, "max_per_artist": 3.0, "duration": 20.0}
CURVES = ("tempo", "energy")


class Curve(Config):
    """How a quantity moves: only from one waypoint's value towards the next one's, or by small steps, or both.

    `max_step` is in the quantity's unit: BPM for tempo, dB for energy.
    """

    monotone: bool = False
    max_step: float | None = Field(default=None, gt=0)

    def __str__(self) -> str:
        """In words, for messages.

        >>> str(Curve(monotone=True, max_step=8))
        'monotone, steps up to 8'
        """
        return ", ".join(["monotone"] * self.monotone + [f"steps up to {self.max_step:g}"] * bool(self.max_step))

    @property
    def wanted(self) -> bool:
        return self.monotone or self.max_step is not None


class PlaylistOptions(Config):
    """Length: `n` tracks, or `duration_s` within `tolerance_s`; the waypoints count.

    Among `artist_window` tracks in a row no artist stands twice (1: no such rule). `seamless` is the weight of the
    transition from a track's last clip to the next one's first, beside the weight 1 of the whole tracks. With a `seed`,
    a third of the tracks nearby, drawn by it, stays out: another seed, another playlist. `strict`: no rule gives way.
    """

    n: int | None = Field(default=None, ge=2, le=500)
    duration_s: float | None = Field(default=None, gt=0, le=7 * 86_400)
    tolerance_s: float = Field(default=120.0, ge=0)
    path: Literal["spherical", "linear"] = "spherical"
    artist_window: int = Field(default=3, ge=1)
    max_per_artist: int | None = Field(default=3, ge=1)
    tempo: Curve = Curve()
    energy: Curve = Curve()
    seamless: float = Field(default=0.0, ge=0, le=10)
    seed: int | None = Field(default=None, ge=0)
    strict: bool = False

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.n is None) == (self.duration_s is None):
            raise ValueError(f"n={self.n} and duration_s={self.duration_s}: wanted one of the two")
        return self

    @property
    def curves(self) -> dict[str, Curve]:
        """The curves that are wanted, by name."""
        return {name: curve for name in CURVES if (curve := getattr(self, name)).wanted}

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules in force, of `RULES`."""
        in_force = {
            **dict.fromkeys(self.curves, True),
            "artist_window": self.artist_window > 1,
            "max_per_artist": self.max_per_artist is not None,
            "duration": self.duration_s is not None,
        }
        return tuple(name for name in RULES if in_force.get(name))

    def without(self, rule: str) -> "PlaylistOptions":
        """The same without one rule. A duration stays what the length is made from."""
        off = {"artist_window": 1, "max_per_artist": None, "duration": 1e12}
        key = "tolerance_s" if rule == "duration" else rule
        return self.model_copy(update={key: off.get(rule, Curve())})
