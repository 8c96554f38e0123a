"""Baselines: vectors of the same tracks, from the same clips, that need no training.

Conventions
-----------
- One float32 vector per track, row i for track i. Statistics of a track are over all frames of all its clips.
- "MFCC": means and deviations of 20 coefficients and of their deltas: 80 numbers, from absolute dB.
- "librosa features": the features of `audio.features`, averaged over the clips.
- "PCA of mels": the first 128 components of the flattened mel, averaged over the clips.
- "PCA of mel statistics": mean, deviation and mean absolute difference per band, then the first 128 components.
- "random convolutions": mean and deviation over time of two feature maps of the untrained encoder, then the first 128
  components, which keep the retrieval results and spare the probes 4,096 dimensions.
- Scales and components are fitted on the evaluated tracks, without their labels. This favors the baselines.

Why each has its own scaling: the size of dimensions in different units (Hz, dB, BPM) has no meaning, so each is divided
by its deviation over the tracks. Principal components share one unit, and a larger deviation means more importance;
dividing by it would be whitening, so they are only centered. Measured: mAP by label on 400 real recordings of 10
classes / on 176 rendered tracks of 12 styles:

                          divided      centered only
    MFCC                  .407 / .473  .444 / .454    (neither is better on both: the results list both)
    librosa features      .504 / .522  .291 / .352
    PCA of mels           .260 / .269  .359 / .414
    PCA of mel statistics .426 / .575  .381 / .487    (before PCA; divided after PCA: .214 / .197)
    random convolutions   .435 / .562  .408 / .504    (before PCA)

Source: MFCC as in `librosa.feature.mfcc` and `librosa.feature.delta` 0.11: orthonormal DCT-II of dB values with a floor
80 dB below the clip's maximum; a delta is the slope of a line through 9 frames, which the 4 frames at each end share.
"""

from collections.abc import Callable

import numpy as np
from scipy.fft import dct
from scipy.signal import savgol_filter
from sklearn.decomposition import PCA

from audioae.audio.mel import decode_mel
from audioae.constants import EMBEDDING_DIM, N_FRAMES, N_MELS
from audioae.errors import EvaluationError
from audioae.model.reference_models import UntrainedEncoder, fit_pca

N_MFCC = 20
DELTA_FRAMES = 9
N_COMPONENTS = EMBEDDING_DIM
BLOCK = 256

Statistics = Callable[[slice], np.ndarray]
"""Maps a slice of clips to one row of statistics per clip."""


def baselines(
    codes: np.ndarray, peak_db: np.ndarray, track: np.ndarray, *, features: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Compute the vectors of every baseline, each with the scaling of the module docstring.

    Parameters
    ----------
    codes : np.ndarray, shape (n_clips, 128, 130), uint8
        Read in blocks, so a memory map is fine.
    peak_db : np.ndarray, shape (n_clips,), float32
        Absolute level of each clip's maximum, dB.
    track : np.ndarray, shape (n_clips,), int64
        Track of each clip, 0 to n - 1.
    features : np.ndarray, shape (n_clips, d) or (n, d), optional
        Features from `audio.features`, which need waveforms. Without them "librosa features" is omitted.

    Returns
    -------
    vectors : dict of str to np.ndarray, shape (n, d), float32

    Raises
    ------
    EvaluationError
        If the shapes do not match, a track has no clip, or a feature is not finite.
    """
    n = _check(codes, peak_db, track)
    mfcc = mfcc_statistics(codes, peak_db, track)
    vectors = {"MFCC": _standardized(mfcc), "MFCC, centered": mfcc - mfcc.mean(axis=0)}
    if features is not None:
        vectors["librosa features"] = _standardized(_features_of_tracks(features, track, n))
    vectors["PCA of mels"] = _mel_components(codes, track, n)
    vectors["PCA of mel statistics"] = _components(_standardized(_mel_statistics(codes, track, n)))
    vectors["random convolutions"] = _components(_standardized(_untrained_statistics(codes, track, n)))
    return {name: values.astype(np.float32) for name, values in vectors.items()}


def mfcc_statistics(codes: np.ndarray, peak_db: np.ndarray, track: np.ndarray) -> np.ndarray:
    """Compute means and deviations of MFCC, then those of their deltas, unscaled: shape (n, 80), float64."""
    n = _check(codes, peak_db, track)

    def statistics(rows: slice) -> np.ndarray:
        mfcc = clip_mfcc(codes[rows], peak_db[rows])
        deltas = np.asarray(savgol_filter(mfcc, DELTA_FRAMES, polyorder=1, deriv=1, axis=2))
        return _powers(np.concatenate([mfcc, deltas], axis=1))

    mean, deviation = _moments(_track_means(statistics, track, n))
    return np.hstack([mean[:, :N_MFCC], deviation[:, :N_MFCC], mean[:, N_MFCC:], deviation[:, N_MFCC:]])


def clip_mfcc(codes: np.ndarray, peak_db: np.ndarray) -> np.ndarray:
    """Compute the MFCC of clips, shape (n, 20, 130), float32, from codes (n, 128, 130) and peaks (n,) in dB."""
    mel_db = decode_mel(codes) + peak_db[:, None, None].astype(np.float32)
    return np.asarray(dct(mel_db, axis=1, type=2, norm="ortho"))[:, :N_MFCC]


def _mel_statistics(codes: np.ndarray, track: np.ndarray, n: int) -> np.ndarray:
    """Mean, deviation and mean absolute difference of frames per mel band, shape (n, 384), in relative dB."""

    def statistics(rows: slice) -> np.ndarray:
        mel_db = decode_mel(codes[rows])
        return np.hstack([_powers(mel_db), np.abs(np.diff(mel_db, axis=2)).mean(axis=2)])

    means = _track_means(statistics, track, n)
    return np.hstack([*_moments(means[:, : 2 * N_MELS]), means[:, 2 * N_MELS :]])


def _mel_components(codes: np.ndarray, track: np.ndarray, n: int) -> np.ndarray:
    embedder = fit_pca(codes, np.arange(len(codes)))
    vectors = _track_means(lambda rows: embedder.embed(codes[rows])[0], track, n)
    return vectors - vectors.mean(axis=0)


def _untrained_statistics(codes: np.ndarray, track: np.ndarray, n: int) -> np.ndarray:
    encoder = UntrainedEncoder(codes)
    return _track_means(lambda rows: encoder.describe(codes[rows]), track, n)


def _features_of_tracks(features: np.ndarray, track: np.ndarray, n: int) -> np.ndarray:
    if features.ndim != 2 or len(features) not in (len(track), n):
        raise EvaluationError(
            f"baselines: got features of shape {features.shape}, "
            f"wanted a row for each of {len(track)} clips or {n} tracks"
        )
    if not np.isfinite(features).all():
        bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
        raise EvaluationError(f"baselines: features of {len(bad)} rows contain NaN or infinity, the first is {bad[0]}")
    return features if len(features) == n else _track_means(lambda rows: features[rows], track, n)


def _track_means(statistics: Statistics, track: np.ndarray, n: int) -> np.ndarray:
    """Average the rows of `statistics` over each track's clips, block by block: shape (n, d), float64."""
    sums = np.zeros((n, 0))
    for start in range(0, len(track), BLOCK):
        rows = slice(start, start + BLOCK)
        values = statistics(rows)
        if start == 0:
            sums = np.zeros((n, values.shape[1]))
        np.add.at(sums, track[rows], values.astype(np.float64))
    return sums / np.bincount(track, minlength=n)[:, None]


def _powers(values: np.ndarray) -> np.ndarray:
    """Average values and their squares over frames: (n, d, frames) to (n, 2 d)."""
    values = values.astype(np.float64)
    return np.hstack([values.mean(axis=2), np.square(values).mean(axis=2)])


def _moments(powers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn the output of `_powers` into means and deviations."""
    mean, square = np.split(powers, 2, axis=1)
    return mean, np.sqrt(np.maximum(square - mean**2, 0))


def _standardized(vectors: np.ndarray) -> np.ndarray:
    """Scale each dimension to mean 0 and deviation 1 over the tracks; constant dimensions become 0."""
    deviation = vectors.std(axis=0)
    return (vectors - vectors.mean(axis=0)) / np.where(deviation > 1e-9, deviation, np.inf)


def _components(vectors: np.ndarray) -> np.ndarray:
    return PCA(min(N_COMPONENTS, *vectors.shape), svd_solver="randomized", random_state=0).fit_transform(vectors)


def _check(codes: np.ndarray, peak_db: np.ndarray, track: np.ndarray) -> int:
    """The number of tracks."""
    if codes.ndim != 3 or codes.shape[1:] != (N_MELS, N_FRAMES) or codes.dtype != np.uint8:
        raise EvaluationError(
            f"baselines: got codes {codes.shape} {codes.dtype}, wanted (n_clips, {N_MELS}, {N_FRAMES}) uint8"
        )
    if len(codes) == 0 or len(peak_db) != len(codes) or len(track) != len(codes):
        raise EvaluationError(
            f"baselines: got {len(codes)} clips, {len(peak_db)} levels, {len(track)} track rows; wanted as many of each"
        )
    if track.min() < 0:
        raise EvaluationError(f"baselines: got track {track.min()}, wanted track rows >= 0")
    n = int(track.max()) + 1
    absent = np.flatnonzero(np.bincount(track, minlength=n) == 0)
    if len(absent):
        raise EvaluationError(f"baselines: {len(absent)} of {n} tracks have no clip, the first is row {absent[0]}")
    return n
