"""The rules of the check corrupt: each has one column of evidence, one limit and one sentence.

Conventions
-----------
- Evidence maps columns to values, shape (n,), float64, NaN where a value is unknown or has no meaning. The columns are
  those of `audio/health.py` and those that `derive` adds. A NaN breaks no rule.
- A limit is a percentile of the catalog plus `MARGIN` of its distance from the median. A label with at least
  `MIN_LABEL` tracks has its own limits. No limit is stricter than the rule's `strictest` or looser than its `loosest`.
- `rule_excess` is how far a value is beyond its limit, in units of the rule's `scale`; 0 or less is within the limit.

Why a margin: a value beyond the percentile may simply be the largest of a few hundred; one beyond the margin is an
outlier.
Why equal bounds for damage of the file: what is lost is lost, however many files of the catalog are damaged.
Why both bounds: a percentile alone calls 0.5 % of every catalog corrupt, and a fixed limit alone calls every track of a
catalog of old records corrupt.
"""

# pyright: reportAttributeAccessIssue=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

MIN_LABEL = 200
MARGIN = 0.25
BEYOND = 2  # tracks that stay beyond every percentile, so that a single bad track does not set its own limit
_LOSSLESS_HZ = 20_000.0
_STEEP_DB = 30.0
_WHITE_DB = 3.0


@dataclass(frozen=True)
class Rule:
    """A rule is broken if `value > limit`, or `value < limit` where `low`; `why` is a template of the value."""

    name: str
    column: str
    unit: str
    strictest: float
    loosest: float
    scale: float
    why: str
    low: bool = False


RULES: tuple[Rule, ...] = (
    Rule("flat tops", "flat_percent", "%", 1.2, 5.0, 1.0, "{value:.1f} % of the samples are within 2 % of the peak"),
    Rule("clipping", "clipped_percent", "%", 0.3, 2.0, 0.5, "{value:.2f} % of the samples are at full scale"),
    Rule("sudden silence", "fall_db", "dB", 55, 200, 5, "the level drops by {value:.0f} dB within 12 ms"),
    Rule("digital silence", "zero_run_s", "s", 1.0, 60, 1, "{value:.1f} s in a row are exactly zero"),
    Rule("silent end", "tail_s", "s", 3.0, 60, 2, "the last {value:.1f} s are silent"),
    Rule("lost audio", "missing_s", "s", 0.02, 0.02, 0.2, "{value:.2f} s are lost to damage of the file"),
    Rule("damage", "resyncs", "", 0.5, 0.5, 1, "damage interrupts the audio, in places: {value:.0f}"),
    Rule("cut off", "shortfall_s", "s", 0.5, 2.0, 1, "the audio is {value:.1f} s shorter than its header says"),
    Rule("offset", "dc_offset", "of full scale", 0.01, 0.05, 0.02, "the mean is {value:.3f} of full scale, not 0"),
    Rule("dead channel", "channel_difference_db", "dB", 24, 40, 6, "one channel is {value:.0f} dB below the other"),
    Rule("opposed channels", "correlation", "", -0.5, -0.97, 0.1, "the channels correlate by {value:.2f}", low=True),
    Rule("lost treble", "lost_hz", "Hz", 3000, 12_000, 1500, "it ends {value:,.0f} Hz below what its format carries"),
    Rule("muffled", "bandwidth_hz", "Hz", 4000, 800, 1000, "there is no sound above {value:,.0f} Hz", low=True),
    Rule("low rate", "sample_rate", "Hz", 15_000, 7000, 2000, "the sample rate is {value:,.0f} Hz", low=True),
    Rule("hum", "hum_line_db", "dB", 15, 40, 4, "mains hum and its harmonics stand out by {value:.0f} dB"),
    Rule("noise", "hiss_db", "dB", -18, 3, 3, "the pauses contain white noise at {value:.0f} dB from the mean level"),
    Rule("clicks", "click_db", "dB", 36, 200, 4, "a click is {value:.0f} dB above its surroundings"),
    Rule("bursts", "burst_db", "dB", 55, 200, 5, "a burst of sound drops by {value:.0f} dB within 12 ms"),
    Rule("stutter", "repeat", "", 0.78, 1.0, 0.1, "16 to 81 ms of audio repeat with a similarity of {value:.2f}"),
    Rule("repeated buffer", "loop", "", 0.8, 1.0, 0.05, "10 to 93 ms of audio are played twice, by {value:.2f}"),
    Rule("wrong samples", "spikes_db", "dB", 40, 200, 5, "five or more samples are wrong by {value:.0f} dB"),
    Rule("burst of noise", "plateau_db", "dB", 25, 200, 5, "up to 0.1 s are {value:.0f} dB above what is around them"),
    Rule("gap", "gap_db", "dB", 30, 200, 5, "up to 2 s are {value:.0f} dB below what is around them"),
    Rule("few levels", "distinct_fraction", "", 0.1, 0.02, 0.03, "{value:.1%} of the samples are distinct", low=True),
)


def derive(evidence: Mapping[str, np.ndarray], lossless: np.ndarray) -> dict[str, np.ndarray]:
    """Add the columns that only rules and the classifier need.

    Parameters
    ----------
    evidence : mapping of str to np.ndarray, shape (n,)
    lossless : np.ndarray, shape (n,), bool
        Whether the codec keeps every sample.
    """
    e = {name: np.asarray(values, np.float64) for name, values in evidence.items()}
    with np.errstate(invalid="ignore"):
        carried = _carried_hz(e["bit_rate"] / np.maximum(e["channels"], 1), lossless)
        carried = np.minimum(carried, 0.45 * e["sample_rate"])
        lost = np.where(e["edge_db"] > _STEEP_DB, carried - e["cutoff_hz"], np.where(np.isnan(e["edge_db"]), np.nan, 0))
        turn = 2 * np.pi * np.nan_to_num(e["tuning_cents"]) / 100
        hiss = np.where(e["flatness_db"] < _WHITE_DB, e["noise_floor_dbfs"] - e["rms_dbfs"], np.nan)
    return e | {
        "flat_percent": 100 * e["flat_fraction"],
        "clipped_percent": 100 * e["clipped_fraction"],
        "shortfall_s": e["claimed_s"] - e["duration_s"],
        "lost_hz": lost,
        "hiss_db": hiss,
        "pause_db": e["noise_floor_dbfs"] - e["rms_dbfs"],
        "crest_db": 20 * np.log10(np.maximum(e["peak"], 1e-6)) - e["rms_dbfs"],
        "treble_hz": e["cutoff_hz"] - e["bandwidth_hz"],
        "tuning_cos": e["tuning_strength"] * np.cos(turn),
        "tuning_sin": e["tuning_strength"] * np.sin(turn),
    }


def _carried_hz(bits_per_channel: np.ndarray, lossless: np.ndarray) -> np.ndarray:
    """The highest frequency that a good encoder keeps at a bit rate (bit/s per channel)."""
    lossy = np.interp(bits_per_channel, [16_000, 32_000, 64_000, 128_000], [5000, 10_000, 15_500, 19_000])
    return np.where(lossless, _LOSSLESS_HZ, lossy)


class RuleLimits:
    """The limits of all rules, learned from some tracks.

    Parameters
    ----------
    evidence : mapping of str to np.ndarray, shape (n,)
    labels : pa.Array or sequence of str or None, length n
    percentile : float
    """

    def __init__(
        self, evidence: Mapping[str, np.ndarray], labels: pa.ChunkedArray | Sequence[str | None], percentile: float
    ):
        codes, names = _encoded(labels)
        counts = np.bincount(codes, minlength=len(names))
        large = [code for code in np.flatnonzero(counts >= MIN_LABEL).tolist() if names[code]]
        order = np.argsort(codes, kind="stable")
        rows = np.split(order, np.cumsum(counts)[:-1])
        self._labels = {names[code]: place for place, code in enumerate(large)}
        self._limits = {  # the last is for all other labels
            rule.name: np.array(
                [_limit(rule, values[rows[code]], percentile) for code in large] + [_limit(rule, values, percentile)]
            )
            for rule in RULES
            for values in [evidence[rule.column]]
        }

    def of(self, labels: pa.ChunkedArray | Sequence[str | None]) -> dict[str, np.ndarray]:
        """The limit of each rule for tracks with these labels, shape (n,)."""
        codes, names = _encoded(labels)
        places = np.array([self._labels.get(name, -1) for name in names], np.int64)[codes]
        return {rule: limits[places] for rule, limits in self._limits.items()}


def rule_limits(
    evidence: Mapping[str, np.ndarray], labels: Sequence[str | None], percentile: float
) -> dict[str, np.ndarray]:
    """The limit of each rule for each track that it is learned from, shape (n,)."""
    return RuleLimits(evidence, labels, percentile).of(labels)


def _encoded(labels: pa.ChunkedArray | Sequence[str | None]) -> tuple[np.ndarray, list[str]]:
    """A number per label, shape (n,), and the labels; an unknown one is ""."""
    column = labels if isinstance(labels, pa.ChunkedArray) else pa.chunked_array([pa.array(labels, pa.string())])
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


def _limit(rule: Rule, values: np.ndarray, percentile: float) -> float:
    known = values[~np.isnan(values)]
    if not len(known):
        return rule.strictest
    low, high = sorted((rule.strictest, rule.loosest))
    percentile = max(min(percentile, 100 * (1 - BEYOND / len(known))), 50)
    middle, far = np.percentile(known, [50, 100 - percentile if rule.low else percentile])
    return float(np.clip(far + MARGIN * (far - middle), low, high))


def rule_excess(evidence: Mapping[str, np.ndarray], limits: Mapping[str, np.ndarray | float]) -> np.ndarray:
    """How far each track is beyond each rule's limit, shape (n, len(RULES)); -inf where there is no value."""
    columns = []
    for rule in RULES:
        over = (evidence[rule.column] - limits[rule.name]) / rule.scale
        columns.append(np.where(np.isnan(over), -np.inf, -over if rule.low else over))
    return np.stack(columns, axis=1)


def broken_rules(
    excess: np.ndarray, row: int, evidence: Mapping[str, np.ndarray], limits: Mapping[str, np.ndarray]
) -> list[dict[str, object]]:
    """The rules that a track broke, worst first: rule, value, limit, unit (as in `result`) and why."""
    broken = []
    for i in np.argsort(-excess[row], kind="stable"):
        if excess[row, i] > 0:
            rule, value, limit = RULES[i], float(evidence[RULES[i].column][row]), float(limits[RULES[i].name][row])
            bound = f"{'at least' if rule.low else 'at most'} {limit:,.4g} {rule.unit}".rstrip()
            why = f"{rule.why.format(value=value)} (normal here: {bound})"
            values = {"value": round(value, 4), "limit": round(limit, 4), "unit": rule.unit, "why": why}
            broken.append({"rule": rule.name, **values})
    return broken
