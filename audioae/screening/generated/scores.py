"""Was a waveform recorded and mixed, or written by a decoder? Decided by comparison with resynthesized copies.

Conventions
-----------
- A track has one number, the log odds of a decoder, higher = more like what decoders write (see `detector`).
- All figures are about tracks whose artist the detector has not been trained on: `N_FOLDS` folds by artist.
- There are three answers. "generated": higher log odds than all but `false_positive_rate` of real tracks should have.
  "real": lower log odds than all but `MISSED` of the resynthesized copies have. "cannot tell": in between; or too
  short, or without sound up to `MIN_BANDWIDTH_HZ`; or so unlike all training examples that no conclusion is possible.

Why the limit for "generated" is a normal tail from the catalog's median and upper spread (its 84th percentile), and not
a percentile: the 99th percentile would call one track in a hundred generated however clean the catalog is, and never
more however many are. The share of the catalog above the limit is measured and reported. The limit assumes that most of
the catalog is real: if a sixth or more is generated, the limit rises with them.

The check fails if a decoder leaves none of the artifacts that the available decoders leave. By
`python -m tests.bench generated` on the demo, known families are recognized with an AUROC of .97, families left out of
the training with .78 (one that keeps the low frequencies as they are) to 1.00; at a false-positive rate of 1 %, 4 % of
that one are caught. With 3 s of a recording the AUROC is .94, after AAC .85, and 1.3 % of real recordings are above a
limit that was set for 1 %. No generator of whole songs was available for testing: it may well be called real.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audioae.screening.generated.artifacts import EXTENT
from audioae.screening.generated.detector import N_FOLDS, Examples, VocoderDetector, folds_of, upper_limit
from audioae.screening.generated.resynthesis import REAL
from audioae.screening.generated.section_artifacts import FEATURE_NAMES
from audioae.screening.generated.self_test import RealTracks, measure
from audioae.spacing import evenly_spaced

THRESHOLD = 0.5
MIN_TRACKS = 8  # resynthesized tracks that training needs, of at least N_FOLDS artists
MIN_BANDWIDTH_HZ = 6_500
MISSED = 0.05
MAX_REAL = 10_000  # tracks of the catalog that say what is caught at a false-positive rate
BLOCK = 1 << 16  # tracks that are scored at a time
OUTSIDE = 0.005  # share of the catalog that may be farther from the training examples than the distance limit


@dataclass(frozen=True, eq=False)
class GeneratedScores:
    """The scores of n tracks.

    Parameters
    ----------
    log_odds : np.ndarray, shape (n,), float64
        NaN where nothing could be measured.
    cannot_tell : Reasons
        Why the answer is "cannot tell"; "" for any other answer.
    limit, real_limit : float
        Log odds above `limit` are "generated", below `real_limit` "real".
    detectors : sequence of VocoderDetector
        One per fold.
    fold : np.ndarray, shape (n,), int
        Of the detector that scored each track.
    measured : mapping
        What held-out examples say about the detector.
    """

    log_odds: np.ndarray
    cannot_tell: "Reasons"
    limit: float
    real_limit: float
    detectors: Sequence[VocoderDetector]
    fold: np.ndarray
    measured: Mapping[str, Any]

    @property
    def score(self) -> np.ndarray:
        """(n,) float32 in [0, 1]; below 0.5 is generated, NaN: cannot tell."""
        score = 1 / (1 + np.exp(np.clip(self.log_odds - self.limit, -50, 50)))
        return np.where(self.cannot_tell.mask, np.nan, score).astype(np.float32)

    def contributions(self, row: int, artifacts: np.ndarray) -> np.ndarray:
        """What each feature of a track adds to its log odds, shape (d,)."""
        features = artifacts[row : row + 1, len(EXTENT) :]
        if np.isnan(features).all():
            return np.zeros(features.shape[1])
        return self.detectors[self.fold[row]].contributions(features)[0]


class Reasons(Sequence[str]):
    """Why the check cannot tell, in words that are made when they are asked for; "" where it can.

    Parameters
    ----------
    extent : np.ndarray, shape (n, 2)
        Seconds and bandwidth (Hz).
    log_odds, distance : np.ndarray, shape (n,)
    limit, real_limit, distance_limit : float
    """

    def __init__(
        self,
        extent: np.ndarray,
        log_odds: np.ndarray,
        distance: np.ndarray,
        limit: float,
        real_limit: float,
        distance_limit: float,
    ):
        self._values, self._limits = (extent, log_odds, distance), (limit, real_limit, distance_limit)
        between = (real_limit <= log_odds) & (log_odds <= limit)
        self.mask = ~(extent[:, 1] >= MIN_BANDWIDTH_HZ) | np.isnan(log_odds) | (distance > distance_limit) | between

    def __len__(self) -> int:
        return len(self.mask)

    def __getitem__(self, row: Any) -> Any:
        if not self.mask[row]:
            return ""
        extent, log_odds, distance = self._values
        return _why_cannot_tell(extent[row].tolist(), float(log_odds[row]), float(distance[row]), *self._limits)


def score_tracks(
    examples: Examples, artifacts: np.ndarray, group: np.ndarray, false_positive_rate: float, seed: int = 0
) -> GeneratedScores:
    """Score a catalog by detectors trained on its own resynthesized tracks, none of the track's artist among them.

    Parameters
    ----------
    examples : Examples
        Of at least `MIN_TRACKS` tracks of `N_FOLDS` groups.
    artifacts : np.ndarray, shape (n, len(ARTIFACT_NAMES)), float32
        Of the whole tracks; a row of NaN for a file that could not be read.
    group : np.ndarray, shape (n,), str
        Their artists.
    false_positive_rate : float
        Share of real tracks that may be called generated.
    seed : int
    """
    example_fold, track_fold = folds_of(examples.group, seed, group)
    features = artifacts[:, len(EXTENT) :]
    measurable = ~np.isnan(features).all(axis=1)
    log_odds, distance = np.full(len(features), np.nan), np.full(len(features), np.nan)
    held_out = np.full(len(examples.group), np.nan)
    detectors = [VocoderDetector(examples[example_fold != fold], seed) for fold in range(N_FOLDS)]
    for fold, detector in enumerate(detectors):
        rows = np.flatnonzero((track_fold == fold) & measurable)
        for block in (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)):
            log_odds[block] = detector.log_odds(features[block])
            distance[block] = detector.distance(features[block])
        if (example_fold == fold).any():
            held_out[example_fold == fold] = detector.log_odds(examples.features[example_fold == fold])
    usable = measurable & (artifacts[:, 1] >= MIN_BANDWIDTH_HZ)
    limit = upper_limit(log_odds[usable], false_positive_rate)
    real_limit = min(limit, float(np.quantile(held_out[examples.family != REAL], MISSED)))
    distance_limit = upper_limit(distance[usable], OUTSIDE)
    extent = artifacts[:, : len(EXTENT)]
    cannot_tell = Reasons(extent, log_odds, distance, limit, real_limit, distance_limit)
    chosen = np.flatnonzero(usable)
    chosen = chosen[evenly_spaced(len(chosen), MAX_REAL)] if len(chosen) else chosen
    real = RealTracks(features[chosen], track_fold[chosen], log_odds[chosen])
    measured = measure(examples, held_out, example_fold, real, seed) | {
        "false_positive_rate": float(np.mean(log_odds[usable] > limit)) if usable.any() else None,
        "abstained": float(np.mean(cannot_tell.mask)),
        "limits": {"generated_above": limit, "real_below": real_limit, "distance_below": distance_limit},
    }
    return GeneratedScores(log_odds, cannot_tell, limit, real_limit, detectors, track_fold, measured)


def can_train(examples: Examples) -> bool:
    """Whether there are enough examples to train on and to hold some out."""
    copies = examples.family != REAL
    complete = set(examples.track[copies].tolist()) & set(examples.track[~copies].tolist())
    return len(complete) >= MIN_TRACKS and len(set(examples.group.tolist())) >= N_FOLDS


def top_features(
    scores: GeneratedScores, row: int, artifacts: np.ndarray, usual: "UsualValues | None" = None, n: int = 3
) -> list[dict[str, Any]]:
    """The features that speak most for a decoder, as rules: the value, and the value that 5 % of the catalog exceed.

    Who asks for many rows gives the same `usual` each time.
    """
    usual, rules = usual or UsualValues(artifacts), []
    contributions = scores.contributions(row, artifacts)
    for column in np.argsort(-contributions)[:n].tolist():
        value = float(artifacts[row, len(EXTENT) + column])
        low, median, high = usual.of(column)
        if contributions[column] > 0:
            limit = high if value > median else low
            rules.append({"rule": FEATURE_NAMES[column], "value": value, "limit": limit, "unit": ""})
    return rules


class UsualValues:
    """The range of each feature in the catalog, computed once.

    Parameters
    ----------
    artifacts : np.ndarray, shape (n, len(ARTIFACT_NAMES)), float32
    """

    def __init__(self, artifacts: np.ndarray):
        self._artifacts = artifacts
        self._known: dict[int, tuple[float, float, float]] = {}

    def of(self, column: int) -> tuple[float, float, float]:
        """The 5th percentile, the median and the 95th percentile of a feature."""
        if column not in self._known:
            values = self._artifacts[:, len(EXTENT) + column]
            low, high = (float(np.nanquantile(values, share)) for share in (0.05, 0.95))
            self._known[column] = (low, float(np.nanmedian(values)), high)
        return self._known[column]


def _why_cannot_tell(
    extent: list[float], log_odds: float, distance: float, limit: float, real_limit: float, distance_limit: float
) -> str:
    seconds, bandwidth_hz = extent
    if not bandwidth_hz >= MIN_BANDWIDTH_HZ:
        if not bandwidth_hz > 0:
            return "no sound"
        return f"no sound above {bandwidth_hz:,.0f} Hz; the check needs sound up to {MIN_BANDWIDTH_HZ:,} Hz"
    if np.isnan(log_odds):
        return f"{seconds:.1f} s can be measured; the check needs 3 s, at a sample rate of at least 30,000 Hz"
    if distance > distance_limit:
        return (
            f"unlike everything that the detector was trained on (distance {distance:.2f}, limit {distance_limit:.2f})"
        )
    if real_limit <= log_odds <= limit:
        return f"log odds of a decoder {log_odds:.2f}: real is below {real_limit:.2f}, generated above {limit:.2f}"
    return ""
