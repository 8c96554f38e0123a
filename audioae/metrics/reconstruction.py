"""Reconstruction: how much of a mel does not come back, and are the codes in use?

Conventions
-----------
- Unexplained variance: sum of squared errors over the sum of squared deviations from the means per mel band, over the
  bins of all clips, in the model's normalized units. 0: all comes back. 1: no better than the mean spectrum of the
  whole catalog, also where only some tracks are asked about.
- Beside it stand 128 principal components, the best linear code of that size. They are fitted on one half of the
  artists (at most 4,096 clips) and measured on the other half, and the other way round: never on a track they know.
- The model has seen the tracks it was trained on, so over all tracks it has the advantage. Which tracks it never saw
  has to be told; over those alone the comparison is fair.
- Codes are counted in every codebook over all clips. Perplexity is exp(entropy), from 1 to the size of the codebook; a
  code that no clip chooses is dead. With fewer clips than codes, some have to be.
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
MIN_FIT = EMBEDDING_DIM + 1  # clips that span as many components as an embedding has
BLOCK = 512


@dataclass(frozen=True)
class CodebookUse:
    """How often each code was chosen: `counts` (levels, codebooks, codebook_size), int64; one codebook per group.

    >>> use = CodebookUse(np.array([[[5, 5, 0, 0]]]))
    >>> use.perplexity.round(3).tolist(), use.dead_share.tolist()
    ([[2.0]], [[0.5]])
    """

    counts: np.ndarray

    @property
    def perplexity(self) -> np.ndarray:
        """Codes in even use that would carry as much, shape (levels, codebooks)."""
        share = self.counts / self.counts.sum(axis=2, keepdims=True)
        return np.exp(-(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=2))

    @property
    def dead_share(self) -> np.ndarray:
        """Share of the codes that were never chosen, shape (levels, codebooks)."""
        return (self.counts == 0).mean(axis=2)


def measure(
    codes: np.ndarray,
    track: np.ndarray,
    metadata: TrackMetadata,
    embedder: Embedder,
    *,
    held_out: np.ndarray | None = None,
) -> tuple[MetricSet, CodebookUse | None]:
    """Unexplained variance of the model and of PCA on the same clips, and the use of its codes.

    Parameters
    ----------
    codes : np.ndarray, shape (n_clips, 128, 130), uint8
        May be a memory map: it is read in blocks.
    track : np.ndarray, shape (n_clips,), int64
        Row of each clip's track in `facts`.
    facts : Facts
    embedder : Embedder
    held_out : np.ndarray, shape (n,), bool, optional
        Tracks that the model was not trained on.

    Returns
    -------
    answer : Answer
        Two metrics over all tracks and, if told, two over those held out; lower is better.
    use : CodebookUse or None
        None, and a reason in the answer, for a model without codes.

    Raises
    ------
    EvaluationError
        If the shapes do not fit together.
    """
    _check(codes, track, metadata, held_out)
    embeddings, errors = embedder.embed(codes)
    deviation = deviations(codes, embedder)
    if not deviation.any():
        return MetricSet(omitted=(f"{KEY}: all clips are the same constant",)), None
    found = {KEY: errors}
    omitted = []
    of_pca = _pca_errors(codes, metadata.groups[track], embedder)
    if isinstance(of_pca, str):
        omitted.append(f"{KEY} of PCA: {of_pca}")
    else:
        found[f"{KEY}, PCA-{EMBEDDING_DIM}"] = of_pca
    metrics = [_metric(key, errors, deviation, track, metadata) for key, errors in found.items()]
    if held_out is None:
        omitted.append(f"{KEY}, {HELD_OUT}: which those are was not told")
    elif not held_out[track].any():
        omitted.append(f"{KEY}, {HELD_OUT}: none")
    else:
        asked = held_out[track]
        metrics += [
            _metric(f"{key}, {HELD_OUT}", errors * asked, deviation * asked, track, metadata)
            for key, errors in found.items()
        ]
    counts = code_counts(embeddings, embedder)
    if counts is None:
        omitted.append("codes in use: the model has no codebook")
    return MetricSet(tuple(metrics), tuple(omitted)), None if counts is None else CodebookUse(counts)


def _pca_errors(codes: np.ndarray, groups: np.ndarray, like: Embedder) -> np.ndarray | str:
    """Mean squared error per bin of each clip by components of the other half; or why there is none."""
    if len(set(groups)) < 2:
        return "all clips are of one artist, two are needed to fit on one and measure on the other"
    halves = [rows for _, rows in GroupKFold(2).split(groups, groups=groups)]
    smallest = min(map(len, halves))
    if smallest < MIN_FIT:
        return f"a half of the artists has {smallest} clips, {MIN_FIT} are needed to fit {EMBEDDING_DIM} components"
    errors = np.empty(len(codes), np.float32)
    for fitting, measured in (halves, reversed(halves)):
        embedder = fit_pca(codes, fitting, like=like)
        for start in range(0, len(measured), BLOCK):
            rows = measured[start : start + BLOCK]
            errors[rows] = embedder.embed(codes[rows])[1]
    return errors


def _metric(key: str, errors: np.ndarray, deviation: np.ndarray, track: np.ndarray, metadata: TrackMetadata) -> Metric:
    columns = [np.bincount(track, values, metadata.n) for values in (errors, deviation)]
    return Metric(key, np.stack(columns, axis=1), ratio, metadata.groups, higher_is_better=False)


def _check(codes: np.ndarray, track: np.ndarray, metadata: TrackMetadata, held_out: np.ndarray | None) -> None:
    if len(codes) == 0 or len(track) != len(codes):
        raise EvaluationError(f"reconstruction: got {len(codes)} clips and {len(track)} track rows, wanted as many")
    if track.min() < 0 or track.max() >= metadata.n:
        raise EvaluationError(
            f"reconstruction: got track rows {track.min()} to {track.max()}, wanted 0 to {metadata.n - 1}"
        )
    if held_out is not None and (held_out.shape != (metadata.n,) or held_out.dtype != bool):
        raise EvaluationError(
            f"reconstruction: got held_out {held_out.shape} {held_out.dtype}, wanted ({metadata.n},) bool"
        )
