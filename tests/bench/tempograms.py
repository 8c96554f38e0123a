"""The tempo that stored mels tell without a model, which bounds what units of an embedding could say of it.

Conventions
-----------
- Onset strength: the rise from frame to frame in dB, at most 15, averaged over each of 8 coarse mel bands.
- A tempo's score is the mean autocorrelation of the onset strength at 1, 2, 3 and 4 of its periods, so far as they fit.
- The estimate is the best of `TEMPOS`, weighted by a log-normal prior around 118 BPM, either of the whole track (the
  onset strengths of its clips, laid over each other at their starts) or by majority of its clips.
- A clip's posterior is what its scores leave of the prior, softmax(20 x score) x prior, summed over `RANGES` ranges of
  tempo. Averaged over clips, it is what fixed units of an embedding could hold.
- "Right" is within 4 %; "at some level" is within 4 % of the tempo, or of 2, 3, 1/2, 1/3, 3/2 or 2/3 of it.

Source: 4 % and the levels but for 3/2 and 2/3: Gouyon et al., IEEE Transactions on Audio, Speech, and Language
Processing 2006.
"""

from dataclasses import replace

import numpy as np

from audioae.constants import HOP_LENGTH, SAMPLE_RATE
from audioae.library.track_vectors import TrackVectors
from audioae.metrics import probes
from audioae.pipeline.clips import mel_codes
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from tests.bench.harness import Row

FRAMES_PER_S = SAMPLE_RATE / HOP_LENGTH
TEMPOS = np.geomspace(40, 240, 64)
PRIOR = np.exp(-0.5 * (np.log2(TEMPOS / 118) / 0.45) ** 2)
PERIODS = (1, 2, 3, 4)
LEVELS = (1, 2, 3, 1 / 2, 1 / 3, 3 / 2, 2 / 3)
CAP_DB, BANDS, RIGHT = 15, 8, 0.04
SHARPNESS, RANGES = 20, 16


def onset_strength(codes: np.ndarray) -> np.ndarray:
    """Onset strength (n, 8, 129) in dB of clips as uint8 codes (n, 128, 130)."""
    rise = np.maximum(np.diff(codes.astype(np.float32) * (80 / 255), axis=2), 0)
    return np.minimum(rise.reshape(len(codes), BANDS, -1, rise.shape[2]).mean(axis=2), CAP_DB)


def scores(onsets: np.ndarray) -> np.ndarray:
    """Score of each of `TEMPOS`, (64,), from onset strengths (8, frames)."""
    n = onsets.shape[1]
    centered = onsets - onsets.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(centered, 2 * n)) ** 2
    correlation = np.fft.irfft(power)[:, :n] / (1 - np.arange(n) / n)
    mean = (correlation / (correlation[:, :1] + 1e-3 * n)).mean(axis=0)
    lags = np.outer(PERIODS, 60 * FRAMES_PER_S / TEMPOS)
    fits = lags < 0.85 * n
    values = np.interp(lags, np.arange(n), mean) * fits
    return values.sum(axis=0) / fits.sum(axis=0)


def estimate(score: np.ndarray) -> float:
    """The tempo of the best score under the prior, in BPM."""
    return float(TEMPOS[np.argmax(np.maximum(score, 0) * PRIOR)])


def posterior(score: np.ndarray) -> np.ndarray:
    """How probable each of `RANGES` ranges of tempo is, from scores (64,)."""
    weight = np.exp(SHARPNESS * score) * PRIOR
    return weight.reshape(RANGES, -1).sum(axis=1) / weight.sum()


def join(onsets: np.ndarray, starts_s: np.ndarray) -> np.ndarray:
    """Onset strength (8, frames) of a track from those of its clips, averaged where they overlap."""
    first = np.round((starts_s - starts_s.min()) * FRAMES_PER_S).astype(int)
    total, count = np.zeros((BANDS, first.max() + onsets.shape[2])), np.zeros(first.max() + onsets.shape[2])
    for start, clip in zip(first, onsets, strict=True):
        total[:, start : start + clip.shape[1]] += clip
        count[start : start + clip.shape[1]] += 1
    return total / np.maximum(count, 1)


def measure(store: Store, mels: DatasetRef, tracks: TrackVectors, name: str = "tempo_bpm") -> list[Row]:
    """Shares of right tempos, and the R2 of ridge regression from scores and posteriors, also beside the embedding."""
    metadata = tracks.metadata
    row_of = {track: row for row, track in enumerate(metadata.ids)}
    whole, votes = np.zeros((metadata.n, len(TEMPOS))), np.zeros(metadata.n)
    averaged, probable = np.zeros_like(whole), np.zeros((metadata.n, RANGES))
    for table in store.iter_parts(mels, ["track_id", "start_s", "mel"]):
        names, starts = table["track_id"].to_numpy(), table["start_s"].to_numpy()
        onsets = onset_strength(mel_codes(table))
        for track in set(names) & set(row_of):
            rows, row = names == track, row_of[track]
            of_clips = np.array([scores(clip) for clip in onsets[rows]])
            whole[row], averaged[row] = scores(join(onsets[rows], starts[rows])), of_clips.mean(axis=0)
            probable[row] = np.mean([posterior(score) for score in of_clips], axis=0)
            tempos, counts = np.unique([estimate(score) for score in of_clips], return_counts=True)
            votes[row] = tempos[np.argmax(counts)]
    target = metadata.targets[name]
    found = np.array([estimate(score) for score in whole])
    rows = []
    for how, tempos in (("of the whole track", found), ("by majority of clips", votes)):
        right, some = _right(tempos, target.values)
        error = np.mean((tempos - target.values) ** 2) / target.values.var()
        rows.append(Row(f"tempo {how}, right", right, None, "", f"at some level {some:.3f}; R2 {1 - error:.2f}"))
    only = replace(metadata, labels=np.full(metadata.n, "", object), targets={name: target})
    for what, vectors in (
        ("scores of the whole track", whole),
        ("scores of its clips, averaged", averaged),
        (f"{RANGES} posteriors of its clips, averaged", probable),
        (f"the embedding and {RANGES} posteriors", np.hstack([tracks.vectors, probable])),
    ):
        value = next(metric.value for metric in probes.measure(vectors, only).metrics if metric.key.startswith("R2"))
        rows.append(Row(f"R2 of tempo from {what}", float(value), None, ""))
    return rows


def _right(tempos: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Share of tempos that are right, and share of those right at some metrical level."""
    errors = np.abs(tempos[:, None] / (true[:, None] * np.array(LEVELS)) - 1)
    return float(np.mean(errors[:, 0] < RIGHT)), float(np.mean(errors.min(axis=1) < RIGHT))
