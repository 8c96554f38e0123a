"""Options of a playlist: its length, its path, and its rules.

Conventions
-----------
- If not all rules can be kept, those with a lower cost in `RULES` are relaxed first. Never relaxed: the waypoints and
  their order, the number of tracks, no track twice, at most one of a group of duplicates, and the caller's filters.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from audioae.config import Config

RULES = {"tempo": 1.0, "energy": 1.0, "artist_window": 2.0, "max_per_artist": 3.0, "duration": 20.0}
"""Cost of one violation of each rule."""

CURVES = ("tempo", "energy")


class Curve(Config):
    """How tempo or energy may change: only towards the next waypoint's value (`monotone`), in small steps, or both.

    `max_step` is in BPM for tempo and in dB for energy.
    """

    monotone: bool = False
    max_step: float | None = Field(default=None, gt=0)

    def __str__(self) -> str:
        """Describe the curve in words, for messages.

        >>> str(Curve(monotone=True, max_step=8))
        'monotone, steps up to 8'
        """
        return ", ".join(["monotone"] * self.monotone + [f"steps up to {self.max_step:g}"] * bool(self.max_step))

    @property
    def is_set(self) -> bool:
        return self.monotone or self.max_step is not None


class PlaylistOptions(Config):
    """The length is `n` tracks, or `duration_s` within `tolerance_s`; both include the waypoints.

    No artist occurs twice within `artist_window` consecutive tracks (1: no such rule). `seamless` is the weight of the
    transition from a track's last clip to the next one's first; whole tracks have weight 1. With a `seed`, a random
    third of the nearby tracks is excluded, so another seed gives another playlist. With `strict`, rules are never
    relaxed: a playlist that cannot keep them all is an error.
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
            raise ValueError(f"got n={self.n} and duration_s={self.duration_s}, wanted exactly one of the two")
        return self

    @property
    def curves(self) -> dict[str, Curve]:
        """The curves that are set, by name."""
        return {name: curve for name in CURVES if (curve := getattr(self, name)).is_set}

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules in force, in the order of `RULES`."""
        in_force = {
            **dict.fromkeys(self.curves, True),
            "artist_window": self.artist_window > 1,
            "max_per_artist": self.max_per_artist is not None,
            "duration": self.duration_s is not None,
        }
        return tuple(name for name in RULES if in_force.get(name))

    def without(self, rule: str) -> "PlaylistOptions":
        """Remove one rule. The length still follows the duration if that is the removed rule."""
        off = {"artist_window": 1, "max_per_artist": None, "duration": 1e12}
        key = "tolerance_s" if rule == "duration" else rule
        return self.model_copy(update={key: off.get(rule, Curve())})
