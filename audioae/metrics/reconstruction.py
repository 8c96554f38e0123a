"""Reconstruction: how much of a mel is lost, and how many codes are in use?

Conventions
-----------
- Unexplained variance is the sum of squared errors divided by the sum of squared deviations from the mean of each mel
  band, over all bins of all clips, in the model's normalized units. 0 is perfect; 1 is as good as the mean spectrum of
  the whole catalog, which is the reference for subsets of tracks too.
- The baseline is PCA with 128 components, the best linear code of the same size. It is fitted on one half of the
  artists (at most 4,096 clips) and measured on the other half, and vice versa, so never on a track it was fitted on.
- Over all tracks the model has an advantage, because it was trained on most of them. The comparison is fair on the
  tracks that training held out, which the caller passes as `held_out`.
- Codes are counted in every codebook over all clips. Perplexity is exp(entropy), from 1 to the size of the codebook. A
  code that no clip uses is dead; with fewer clips than codes some codes must be dead.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupKFold

from audioae.constants import EMBEDDING_DIM
from audioae.errors import EvaluationError
from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.metric import Metric, MetricSet, ratio
from audioae.model.embedder import Embedder
from audioae.model.reference_models import code_counts, deviations, fit_pca

KEY = "unexplained variance"
HELD_OUT = "tracks held out in training"
MIN_FIT = EMBEDDING_DIM + 1  # clips needed to fit as many components as an embedding has dimensions
BLOCK = 512


@dataclass(frozen=True)
class CodebookUse:
    """How often each code was used: `counts`, shape (levels, codebooks, codebook_size), int64.

    >>> use = CodebookUse(np.array([[[5, 5, 0, 0]]]))
    >>> use.perplexity.round(3).tolist(), use.dead_share.tolist()
    ([[2.0]], [[0.5]])
    """

    counts: np.ndarray

    @property
    def perplexity(self) -> np.ndarray:
        """Effective number of codes, shape (levels, codebooks)."""
        share = self.counts / self.counts.sum(axis=2, keepdims=True)
        return np.exp(-(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=2))

    @property
    def dead_share(self) -> np.ndarray:
        """Share of the codes that were never used, shape (levels, codebooks)."""
        return (self.counts == 0).mean(axis=2)


def measure(
    codes: np.ndarray,
    track: np.ndarray,
    metadata: TrackMetadata,
    embedder: Embedder,
    *,
    held_out: np.ndarray | None = None,
) -> tuple[MetricSet, CodebookUse | None]:
    """Measure the unexplained variance of the model and of PCA on the same clips, and count the model's codes.

    Parameters
    ----------
    codes : np.ndarray, shape (n_clips, 128, 130), uint8
        Read in blocks, so a memory map is fine.
    track : np.ndarray, shape (n_clips,), int64
        Row of each clip's track in `metadata`.
    metadata : TrackMetadata
    embedder : Embedder
    held_out : np.ndarray, shape (n,), bool, optional
        Tracks that the model was not trained on.

    Returns
    -------
    metrics : MetricSet
        Two metrics over all tracks and, with `held_out`, the same two over the held-out tracks. Lower is better.
    use : CodebookUse or None
        None for a model without a codebook; `metrics.omitted` says so.

    Raises
    ------
    EvaluationError
        If the shapes do not match.
    """
    _check(codes, track, metadata, held_out)
    embeddings, errors, _ = embedder.embed(codes)
    deviation = deviations(codes, embedder)
    if not deviation.any():
        return MetricSet(omitted=(f"{KEY}: all clips are the same constant",)), None
    by_model = {KEY: errors}
    omitted = []
    pca_errors = _pca_errors(codes, metadata.groups[track], embedder)
    if isinstance(pca_errors, str):
        omitted.append(f"{KEY} of PCA: {pca_errors}")
    else:
        by_model[f"{KEY}, PCA-{EMBEDDING_DIM}"] = pca_errors
    metrics = [_metric(key, errors, deviation, track, metadata) for key, errors in by_model.items()]
    if held_out is None:
        omitted.append(f"{KEY}, {HELD_OUT}: the held-out tracks are unknown")
    elif not held_out[track].any():
        omitted.append(f"{KEY}, {HELD_OUT}: no track was held out")
    else:
        mask = held_out[track]
        metrics += [
            _metric(f"{key}, {HELD_OUT}", errors * mask, deviation * mask, track, metadata)
            for key, errors in by_model.items()
        ]
    counts = code_counts(embeddings, embedder)
    if counts is None:
        omitted.append("codebook use: the model has no codebook")
    return MetricSet(tuple(metrics), tuple(omitted)), None if counts is None else CodebookUse(counts)


def _pca_errors(codes: np.ndarray, groups: np.ndarray, like: Embedder) -> np.ndarray | str:
    """Mean squared error per bin of each clip, by PCA fitted on the other half. A string is the reason for none."""
    if len(set(groups)) < 2:
        return "all clips are by one artist, but fitting and measuring need different artists"
    halves = [rows for _, rows in GroupKFold(2).split(groups, groups=groups)]
    smallest = min(map(len, halves))
    if smallest < MIN_FIT:
        return f"one half of the artists has {smallest} clips, but {EMBEDDING_DIM} components need {MIN_FIT}"
    errors = np.empty(len(codes), np.float32)
    for train, test in (halves, reversed(halves)):
        embedder = fit_pca(codes, train, like=like)
        for start in range(0, len(test), BLOCK):
            rows = test[start : start + BLOCK]
            errors[rows] = embedder.embed(codes[rows])[1]
    return errors


def _metric(key: str, errors: np.ndarray, deviation: np.ndarray, track: np.ndarray, metadata: TrackMetadata) -> Metric:
    columns = [np.bincount(track, values, metadata.n) for values in (errors, deviation)]
    return Metric(key, np.stack(columns, axis=1), ratio, metadata.groups, higher_is_better=False, limits=(0.0, np.inf))


def _check(codes: np.ndarray, track: np.ndarray, metadata: TrackMetadata, held_out: np.ndarray | None) -> None:
    if len(codes) == 0 or len(track) != len(codes):
        raise EvaluationError(
            f"reconstruction: got {len(codes)} clips and {len(track)} track rows, wanted one per clip"
        )
    if track.min() < 0 or track.max() >= metadata.n:
        raise EvaluationError(
            f"reconstruction: got track rows {track.min()} to {track.max()}, wanted 0 to {metadata.n - 1}"
        )
    if held_out is not None and (held_out.shape != (metadata.n,) or held_out.dtype != bool):
        raise EvaluationError(
            f"reconstruction: got held_out {held_out.shape} {held_out.dtype}, wanted ({metadata.n},) bool"
        )
