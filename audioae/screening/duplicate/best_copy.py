"""Which of several copies of a recording to keep: the one that preserves most, by its row in `health`.

Conventions
-----------
- Rules are applied in order. A rule discards every remaining copy that is worse than the best remaining one by more
  than the rule's margin. Of the copies that no rule discards, the first in the catalog is kept.
- A rule ignores copies whose evidence is not known.

Why in this order: irreversible losses come first (clipped peaks, a missing channel, missing treble), and what a file
claims about itself comes later. The cutoff precedes the codec: a lossless file that ends 2 kHz below its lossy copy was
made from a worse source, since encoding does not raise a cutoff (`python -m tests.bench findings`). The sample rate
counts only where the cutoff is not known: a higher rate without more treble is upsampling.

Limits: a lossless file made from a lossy one with the same cutoff is kept, and so is the higher bit rate of two codecs,
although a better codec may preserve more at a lower one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Health = Mapping[str, Any]

LOSSLESS = ("pcm", "float", "double", "flac", "alac", "wavpack", "ape", "tta")
MONO = 0.9999  # two channels that correlate more than this have the same content


class CopyRule(NamedTuple):
    """A property of copies by which the worse ones are discarded.

    Parameters
    ----------
    name : str
    value : callable
        Health of a copy to a number, higher = better; None if it is not known.
    margin : float
        By how much a copy must be worse than the best to be discarded; a share of the best for bit rates.
    unit : str
    sentence : str
        Why a copy is discarded: a template of `value` (of the copy) and `best`.
    """

    name: str
    value: Callable[[Health], float | None]
    margin: float
    unit: str
    sentence: str


class Loss(NamedTuple):
    """The rule that discarded a copy, the copy's value, and the best value among the copies that remained."""

    rule: CopyRule
    value: float
    best: float

    @property
    def why(self) -> str:
        return self.rule.sentence.format(value=abs(self.value), best=abs(self.best))


class CopyChoice(NamedTuple):
    """Position of the copy to keep, and for each copy why it is not kept (None if no rule discarded it)."""

    keep: int
    losses: list[Loss | None]


def choose_copy(copies: Sequence[Health]) -> CopyChoice:
    """Choose among copies of one recording, given in the order of the catalog.

    Parameters
    ----------
    copies : sequence of mapping
        Rows of `health`; an empty mapping for a copy without one.

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
    """kb/s of a lossy copy. The bit rate of a lossless one only says how well it could be compressed."""
    return health["bit_rate"] / 1000 if health.get("bit_rate") and not _lossless(health) else None


def _column(name: str) -> Callable[[Health], float | None]:
    return lambda health: health.get(name)


def _sample_rate(health: Health) -> float | None:
    return None if health.get("cutoff_hz") else health.get("sample_rate")


RULES = (
    CopyRule("clipped", _whole_peaks, 0.5, "%", "{value:.1f} % of this copy is clipped, {best:.1f} % of the kept one"),
    CopyRule("stereo", _stereo, 0.0, "", "this copy is mono, the kept one stereo"),
    CopyRule(
        "cutoff_hz",
        _column("cutoff_hz"),
        2000.0,
        "Hz",
        "the spectrum of this copy ends at {value:,.0f} Hz, that of the kept one at {best:,.0f} Hz",
    ),
    CopyRule("lossless", _lossless, 0.0, "", "this copy is lossy, the kept one lossless"),
    CopyRule("bit_rate", _bit_rate, 0.2, "kb/s", "this copy has {value:.0f} kb/s, the kept one {best:.0f} kb/s"),
    CopyRule("duration_s", _column("duration_s"), 0.1, "s", "this copy lasts {value:.2f} s, the kept one {best:.2f} s"),
    CopyRule(
        "sample_rate",
        _sample_rate,
        0.0,
        "Hz",
        "this copy is sampled at {value:,.0f} Hz, the kept one at {best:,.0f} Hz",
    ),
)
