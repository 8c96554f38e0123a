"""Which of several copies of one recording to keep: the one that holds most, by `audio/health.py`.

Conventions
-----------
- Rules are asked one after another, each of the copies that are still in: what is worse than the best of them by more
  than the rule's margin is out. The first of the catalog is kept of those that no rule tells apart.
- A rule says nothing of a copy whose evidence is not known.

Why in this order: what is lost for good comes first (clipped peaks, a channel, the treble), the file's own claims
later. Cutoff before codec: a lossless file that ends 2 kHz below its lossy copy was made from a worse one, since
encoding does not raise a cutoff (`python -m tests.bench findings`). Sample rate counts only where the cutoff is not
known: a higher rate without treble to go with it is upsampling.

What it cannot see: a lossless file made from a lossy one with the same cutoff, which is kept; that a lower bit rate of
a better codec may hold more.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Health = Mapping[str, Any]

LOSSLESS = ("pcm", "float", "double", "flac", "alac", "wavpack", "ape", "tta")
MONO = 0.9999  # channels that correlate by more hold the same


class CopyRule(NamedTuple):
    """Value of a copy (higher = better, None = not known), by how much it must be worse to be out, and how to say it.

    `told` is filled with the copy's value, the best one and the copy's codec.
    """

    name: str
    value: Callable[[Health], float | None]
    margin: float
    unit: str
    told: str


class Loss(NamedTuple):
    """The rule by which a copy was out, its value, and the best one among those that were still in."""

    rule: CopyRule
    value: float
    best: float

    @property
    def why(self) -> str:
        return self.rule.told.format(value=abs(self.value), best=abs(self.best))


class CopyChoice(NamedTuple):
    """The position of the copy to keep, and of each copy why it is not; None where no rule tells it from the kept."""

    keep: int
    losses: list[Loss | None]


def choose_copy(copies: Sequence[Health]) -> CopyChoice:
    """Choose among copies of one recording, given in the order of the catalog.

    Parameters
    ----------
    copies : sequence of mapping
        Rows of `health`; an empty one where there is none.

    >>> choose_copy([{"codec": "vorbis", "bit_rate": 96_000}, {"codec": "pcm_16"}]).keep
    1
    """
    losses: list[Loss | None] = [None] * len(copies)
    remaining = list(range(len(copies)))
    for rule in RULES:
        values = {i: value for i in remaining if (value := rule.value(copies[i])) is not None}
        if not values:
            continue
        best = max(values.values())
        for i, value in values.items():
            if value < best - rule.margin * (abs(best) if rule.unit == "kb/s" else 1.0):
                losses[i] = Loss(rule, value, best)
        remaining = [i for i in remaining if losses[i] is None]
    return CopyChoice(remaining[0], losses)


def _whole_peaks(health: Health) -> float | None:
    clipped = [health[name] for name in ("clipped_fraction", "flat_fraction") if health.get(name) is not None]
    return -100 * max(clipped) if clipped else None


def _stereo(health: Health) -> float | None:
    if not health.get("channels"):
        return None
    correlation = health.get("correlation")
    return float(health["channels"] > 1 and not (correlation is not None and correlation > MONO))


def _lossless(health: Health) -> float | None:
    codec = health.get("codec")
    return float(codec.startswith(LOSSLESS)) if codec else None


def _bit_rate(health: Health) -> float | None:
    """Of lossy copies; how far a lossless one could be compressed says nothing."""
    return health["bit_rate"] / 1000 if health.get("bit_rate") and not _lossless(health) else None


def _known(name: str) -> Callable[[Health], float | None]:
    return lambda health: health.get(name)


def _rate_alone(health: Health) -> float | None:
    return None if health.get("cutoff_hz") else health.get("sample_rate")


RULES = (
    CopyRule(
        "clipped", _whole_peaks, 0.5, "%", "{value:.1f} % of its samples are clipped, of the kept one {best:.1f} %"
    ),
    CopyRule("stereo", _stereo, 0.0, "", "it is mono, the kept one is stereo"),
    CopyRule(
        "cutoff_hz", _known("cutoff_hz"), 2000.0, "Hz", "it ends at {value:.0f} Hz, the kept one at {best:.0f} Hz"
    ),
    CopyRule("lossless", _lossless, 0.0, "", "its codec loses something, that of the kept one nothing"),
    CopyRule("bit_rate", _bit_rate, 0.2, "kb/s", "it has {value:.0f} kb/s, the kept one {best:.0f} kb/s"),
    CopyRule("duration_s", _known("duration_s"), 0.1, "s", "it lasts {value:.2f} s, the kept one {best:.2f} s"),
    CopyRule("sample_rate", _rate_alone, 0.0, "Hz", "it has {value:.0f} samples a second, the kept one {best:.0f}"),
)
