"""Carriers: which dimensions of an embedding, and which code, know a number about the tracks?

Conventions
-----------
- Targets, folds and the ridge regression are those of `probes`; a target that is 0 or 1 is regressed like any other.
- A dimension's weight is its weight in the ridge regression on all tracks, with dimensions and target standardized. Its
  correlation is with the target alone: two dimensions that say the same share one weight, and both correlate.
- "Dimensions needed" is the smallest of `SIZES` whose dimensions, the heaviest of each fold's training tracks, reach
  `ENOUGH` of the R2 of all dimensions, on the test tracks.
- A code's share in a track is the share of the track's clips that have it. High tracks are above the median of the
  target, or 1 if it is 0 or 1. The code whose mean share differs most is chosen on half of the artists; the shares that
  are stated are those of the other half, so no code is named for chance alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.probes import ALPHAS, is_binary, known_target, target_folds

ENOUGH = 0.9
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
N_SHOWN = 5
KNOWN_R2 = 0.05  # below this, nothing carries the target


def measure(
    vectors: np.ndarray, metadata: TrackMetadata, codes: np.ndarray | None = None, track: np.ndarray | None = None
) -> list[dict[str, Any]]:
    """Find the carriers of every target.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d), float32
        One row per track of `metadata`.
    metadata : TrackMetadata
    codes : np.ndarray, shape (n_books, n_clips), optional
        The codes of clips, from a model that has a codebook.
    track : np.ndarray, shape (n_clips,), int, optional
        Row of each clip's track.

    Returns
    -------
    carriers : list of dict
        One per target that can be probed: target, r2, n_dimensions, needed and r2_needed (None if `r2` is below
        `KNOWN_R2`), dimensions (dimension, weight and correlation of the heaviest), and code (book, code, low, high;
        None without codes).
    """
    answer = []
    for name, target in metadata.targets.items():
        found = known_target(metadata, target)
        if isinstance(found, str):
            continue
        known, values, groups = found
        entry = {"target": name, **_needed(vectors[known], values, groups)}
        entry["dimensions"] = _heaviest(vectors[known], values)
        entry["code"] = None
        if codes is not None and track is not None:
            high = np.full(metadata.n, np.nan)
            high[known] = values > 0 if is_binary(values) else values > np.median(values)
            entry["code"] = _code(codes, track, high, metadata.groups)
        answer.append(entry)
    return answer


def _needed(vectors: np.ndarray, values: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """R2 of all dimensions, and how many of the heaviest reach `ENOUGH` of it."""
    sizes = [size for size in SIZES if size < vectors.shape[1]]
    predicted = {size: np.empty(len(values)) for size in (*sizes, vectors.shape[1])}
    for train, test in target_folds(groups):
        order = np.argsort(-np.abs(_fit(vectors[train], values[train])[-1].coef_))
        for size, column in predicted.items():
            chosen = order[:size]
            column[test] = _fit(vectors[train][:, chosen], values[train]).predict(vectors[test][:, chosen])
    r2 = {size: 1 - np.mean((column - values) ** 2) / values.var() for size, column in predicted.items()}
    full = r2[vectors.shape[1]]
    needed = next((size for size in r2 if r2[size] >= ENOUGH * full), None) if full >= KNOWN_R2 else None
    return {
        "r2": float(full),
        "n_dimensions": vectors.shape[1],
        "needed": needed,
        "r2_needed": None if needed is None else float(r2[needed]),
    }


def _heaviest(vectors: np.ndarray, values: np.ndarray) -> list[dict[str, Any]]:
    scaled = (values - values.mean()) / values.std()
    weights = _fit(vectors, scaled)[-1].coef_
    correlations = scaled @ StandardScaler().fit_transform(vectors) / len(scaled)
    return [
        {"dimension": int(i), "weight": float(weights[i]), "correlation": float(correlations[i])}
        for i in np.argsort(-np.abs(weights))[:N_SHOWN]
    ]


def _code(codes: np.ndarray, track: np.ndarray, high: np.ndarray, groups: np.ndarray) -> dict[str, Any] | None:
    """The code whose share differs most between low and high tracks; None if a half of the artists lacks either."""
    half = groups % 2
    if any(not ((half == side) & (high == level)).any() for side in (0, 1) for level in (0, 1)):
        return None
    chosen = _shares(codes, track, half == 0, high)
    book, code = np.unravel_index(np.argmax(np.abs(chosen[1] - chosen[0])), chosen[0].shape)
    low, high_share = (shares[book, code] for shares in _shares(codes, track, half == 1, high))
    return {"book": int(book), "code": int(code), "low": float(low), "high": float(high_share)}


def _shares(codes: np.ndarray, track: np.ndarray, among: np.ndarray, high: np.ndarray) -> Sequence[np.ndarray]:
    """Mean share of each code in the low and in the high tracks of `among`: two arrays (n_books, n_codes)."""
    weight = 1 / np.maximum(np.bincount(track, minlength=len(high)), 1)
    size = int(codes.max()) + 1
    answer = []
    for level in (0, 1):
        tracks = among & (high == level)
        clips = tracks[track]
        per_clip = weight[track[clips]] / tracks.sum()
        answer.append(np.stack([np.bincount(book[clips], per_clip, size) for book in codes]))
    return answer


def _fit(vectors: np.ndarray, values: np.ndarray) -> Any:
    return make_pipeline(StandardScaler(), RidgeCV(ALPHAS)).fit(vectors, values)
