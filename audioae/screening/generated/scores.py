"""Was this waveform recorded and mixed, or written by a decoder? Decided by what a re-made copy of the catalog shows.

Conventions
-----------
- Evidence of a track is one number, higher = more like what decoders make (`screening.generated.detector`).
- Every figure is of tracks whose artist the detector has not met: `N_FOLDS` folds by artist, each judged by a detector
  that was trained on the others.
- Three answers. "generated": more evidence than all but `false_positive_rate` of real tracks have. "real": less than
  all but `MISSED` of the re-made copies have. "cannot tell": between the two; or too short, or without sound above
  `MIN_BANDWIDTH_HZ`; or so far from everything trained on that nothing follows from it.

Why the limit of "generated" is a normal tail on the catalog's median and upper spread (its 84th percentile), and no
percentile: the 99th would call one in a hundred generated however clean the catalog is, never more however many are,
and nothing in a catalog of fewer than a hundred. What share of the catalog lies above it is stated, not assumed. It
takes for granted that most of the catalog is real: where a sixth or more is generated, the limit rises with them.

It fails where a decoder leaves none of the traces that those at hand leave. By `python -m tests.bench generated` on the
demo, families known are told with an AUROC of .97, families left out with .78 (one that keeps the low frequencies
as they are) to 1.00; at a false-positive rate of 1 %, 4 % of such a one are caught. 3 s of a recording are told
with .94, after AAC with .85, and 1.3 % of them stand above a limit that was set for 1 %. No generator of whole songs
was at hand: it may well be called real.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audioae.screening.generated.artifacts import ABOUT
from audioae.screening.generated.detector import N_FOLDS, Examples, VocoderDetector, folds_of, measure, upper_limit
from audioae.screening.generated.resynthesis import REAL
from audioae.screening.generated.section_artifacts import EVIDENCE_NAMES

THRESHOLD = 0.5
MIN_TRACKS = 8  # re-made, of at least N_FOLDS artists
MIN_BANDWIDTH_HZ = 6_500
MISSED = 0.05
OUTSIDE = 0.005  # share of the catalog that may lie outside of what was trained on


@dataclass(frozen=True, eq=False)
class GeneratedScores:
    """Of n tracks.

    Parameters
    ----------
    evidence : np.ndarray, shape (n,), float64
        NaN where nothing could be measured.
    why_not : sequence of str
        Why the answer is "cannot tell"; "" where it is another.
    limit, real_limit : float
        Evidence above the one is "generated", below the other "real".
    reasons : np.ndarray, shape (n, d)
        How much each dimension of the residue speaks for a decoder, in log odds.
    measured : mapping
        What a held-out part of the examples says about the detector.
    """

    evidence: np.ndarray
    why_not: Sequence[str]
    limit: float
    real_limit: float
    reasons: np.ndarray
    measured: Mapping[str, Any]

    @property
    def score(self) -> np.ndarray:
        """(n,) float32 in [0, 1]: below 0.5 is generated; NaN: cannot tell."""
        score = 1 / (1 + np.exp(np.clip(self.evidence - self.limit, -50, 50)))
        return np.where([not why for why in self.why_not], score, np.nan).astype(np.float32)


def score_tracks(
    examples: Examples, residues: np.ndarray, group: np.ndarray, false_positive_rate: float, seed: int = 0
) -> GeneratedScores:
    """Judge a catalog by detectors trained on its own re-made tracks, each track by one that has not met its artist.

    Parameters
    ----------
    examples : Examples
        Of at least `MIN_TRACKS` tracks of `N_FOLDS` groups.
    residues : np.ndarray, shape (n, len(RESIDUE_NAMES)), float32
        Of the whole tracks; NaN rows where a file could not be read.
    group : np.ndarray, shape (n,), str
        Their artists.
    false_positive_rate : float
        Share of real tracks that may be called generated.
    """
    of_example, of_track = folds_of(examples.group, seed, group)
    told = residues[:, len(ABOUT) :]
    measurable = ~np.isnan(told).all(axis=1)
    evidence, distance = np.full(len(told), np.nan), np.full(len(told), np.nan)
    reasons = np.zeros(told.shape)
    held_out = np.full(len(examples.group), np.nan)
    for fold in range(N_FOLDS):
        detector = VocoderDetector(examples[of_example != fold], seed)
        own = np.flatnonzero((of_track == fold) & measurable)
        if len(own):
            evidence[own], distance[own] = detector.judge(told[own]), detector.distance(told[own])
            reasons[own] = detector.shares(told[own])
        if (of_example == fold).any():
            held_out[of_example == fold] = detector.judge(examples.evidence[of_example == fold])
    enough = measurable & (residues[:, 1] >= MIN_BANDWIDTH_HZ)
    limit = upper_limit(evidence[enough], false_positive_rate)
    made = examples.family != REAL
    real_limit = min(limit, float(np.quantile(held_out[made], MISSED)))
    far = upper_limit(distance[enough], OUTSIDE)
    why_not = [
        _why_not(about, own, away, limit, real_limit, far)
        for about, own, away in zip(residues[:, :2].tolist(), evidence.tolist(), distance.tolist(), strict=True)
    ]
    measured = measure(examples, held_out, of_example, false_positive_rate, seed) | {
        "false_positive_rate": float(np.mean(evidence[enough] > limit)) if enough.any() else None,
        "abstained": float(np.mean([bool(why) for why in why_not])),
        "limits": {"generated_above": limit, "real_below": real_limit, "distance_below": far},
    }
    return GeneratedScores(evidence, why_not, limit, real_limit, reasons, measured)


def can_learn(examples: Examples) -> bool:
    """Whether these are enough to train on and to hold some out."""
    made = set(examples.track[examples.family != REAL].tolist()) & set(examples.track[examples.family == REAL].tolist())
    return len(made) >= MIN_TRACKS and len(set(examples.group.tolist())) >= N_FOLDS


def rules(judged: GeneratedScores, row: int, residues: np.ndarray, most: int = 3) -> list[dict[str, Any]]:
    """The dimensions that speak most for a decoder: their value, and what 5 % of the catalog lie beyond."""
    found = []
    for column in np.argsort(-judged.reasons[row])[:most]:
        values = residues[:, len(ABOUT) + column]
        value, median = float(values[row]), float(np.nanmedian(values))
        limit = float(np.nanquantile(values, 0.95 if value > median else 0.05))
        if judged.reasons[row, column] > 0:
            found.append({"rule": EVIDENCE_NAMES[column], "value": value, "limit": limit, "unit": ""})
    return found


def _why_not(about: list[float], evidence: float, distance: float, limit: float, real_limit: float, far: float) -> str:
    seconds, bandwidth_hz = about
    if not bandwidth_hz >= MIN_BANDWIDTH_HZ:
        return (
            f"sound up to {bandwidth_hz:,.0f} Hz only, wanted {MIN_BANDWIDTH_HZ:,} Hz"
            if bandwidth_hz > 0
            else "no sound"
        )
    if np.isnan(evidence):
        return f"{seconds:.1f} s of it can be judged, wanted 3 s or more, at 30,000 Hz or more"
    if distance > far:
        return f"unlike all that the detector was trained on (distance {distance:.2f}, limit {far:.2f})"
    if real_limit <= evidence <= limit:
        return f"evidence {evidence:.2f} is between {real_limit:.2f} (real below) and {limit:.2f} (generated above)"
    return ""
