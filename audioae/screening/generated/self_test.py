"""How well held-out copies are separated from held-out originals, and how many are caught at a false-positive rate.

Conventions
-----------
- A family is "known" if the detector was trained on other tracks' copies by it, "left_out" if it was not.
- Nothing is measured on an artist that the detector was trained on.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from audioae.screening.generated.detector import N_FOLDS, Examples, VocoderDetector
from audioae.screening.generated.operating_points import operating_points
from audioae.screening.generated.resynthesis import REAL


class RealTracks(NamedTuple):
    """m tracks of the catalog, assumed to be real.

    Attributes
    ----------
    features : np.ndarray, shape (m, d)
    fold : np.ndarray, shape (m,), int
        The fold whose detector was not trained on the artist.
    log_odds : np.ndarray, shape (m,)
        By that detector.
    """

    features: np.ndarray
    fold: np.ndarray
    log_odds: np.ndarray


def measure(examples: Examples, held_out: np.ndarray, fold: np.ndarray, real: RealTracks, seed: int) -> dict[str, Any]:
    """Figures about held-out examples.

    Parameters
    ----------
    examples : Examples
    held_out : np.ndarray, shape (n,)
        Log odds of the examples, by detectors that were not trained on their group.
    fold : np.ndarray, shape (n,), int
    real : RealTracks
    seed : int

    Returns
    -------
    measured : dict
        "known", the AUROC of all families, and "tpr", what `operating_points` says about them. "n_real", the number of
        real tracks that set the limits. "families": for each, the AUROC when it is "known" and when it is "left_out" of
        the training, and "tpr" and "tpr_left_out". "versions": the AUROC after each kind of processing.
    """
    is_copy = examples.family != REAL
    families = {}
    for family in sorted(set(examples.family[is_copy].tolist())):
        rows = examples.family == family
        left_out, real_left_out = _leave_out(examples, rows, fold, real, seed)
        track = examples.track[rows]
        families[family] = {
            "known": _auroc(held_out[rows], held_out[~is_copy]),
            "left_out": _auroc(left_out[rows], left_out[~is_copy]),
            "tpr": operating_points(held_out[rows], track, real.log_odds),
            "tpr_left_out": operating_points(left_out[rows], track, real_left_out),
        }
    versions = {}
    for version in sorted(set(examples.version.tolist())):
        rows = examples.version == version
        versions[version] = _auroc(held_out[is_copy & rows], held_out[~is_copy & rows])
    return {
        "known": _auroc(held_out[is_copy], held_out[~is_copy]),
        "tpr": operating_points(held_out[is_copy], examples.track[is_copy], real.log_odds),
        "n_real": len(real.log_odds),
        "families": families,
        "versions": versions,
    }


def _leave_out(
    examples: Examples, rows: np.ndarray, fold: np.ndarray, real: RealTracks, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Log odds of all examples and of the real tracks, by detectors trained without the family in `rows`."""
    of_examples, of_real = np.full(len(fold), np.nan), np.full(len(real.fold), np.nan)
    if len(set(examples.family.tolist())) <= 2:
        return of_examples, of_real
    for f in range(N_FOLDS):
        detector = VocoderDetector(examples[(fold != f) & ~rows], seed)
        test, test_real = fold == f, real.fold == f
        if test.any():
            of_examples[test] = detector.log_odds(examples.features[test])
        if test_real.any():
            of_real[test_real] = detector.log_odds(real.features[test_real])
    return of_examples, of_real


def _auroc(copies: np.ndarray, real: np.ndarray) -> float | None:
    values = np.concatenate([copies, real])
    if not len(copies) or not len(real) or np.isnan(values).any():
        return None
    return float(roc_auc_score(np.arange(len(values)) < len(copies), values))
