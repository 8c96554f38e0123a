"""cleanlab's rankings of labels, from the most likely error on: the peer of the check mislabeled.

Conventions
-----------
- A ranking is one score per track, low = bad, by the name that `CLEANLAB` gives it.
- Three rank cross-validated probabilities of a logistic regression of the embeddings, the usual way to use cleanlab;
  the last is what `Datalab` makes of the embeddings alone, with its own nearest neighbors.

Source: Northcutt, Jiang and Chuang 2021, "Confident learning"; Kuan and Mueller 2022, "Model-agnostic label quality
scoring".
"""

import contextlib
import io
from typing import Any

import numpy as np

DATALAB = "cleanlab, Datalab on embeddings"
_METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
CLEANLAB = (*(f"cleanlab, {method.replace('_', ' ')}" for method in _METHODS), DATALAB)


def probability_rankings(labels: np.ndarray, probability: np.ndarray) -> dict[str, np.ndarray]:
    """The rankings of n tracks with labels (n,) by cross-validated probabilities (n, n_labels)."""
    from cleanlab.rank import get_label_quality_scores

    scores: dict[str, Any] = {
        name: get_label_quality_scores(labels, probability, method=method)
        for name, method in zip(CLEANLAB, _METHODS, strict=False)
    }
    return scores


def datalab_ranking(labels: np.ndarray, vectors: np.ndarray) -> dict[str, np.ndarray]:
    """The ranking of n tracks with labels (n,) by their vectors (n, dim) alone."""
    from cleanlab import Datalab  # it loads datasets and pandas

    lab = Datalab({"label": labels}, label_name="label", verbosity=0)
    with contextlib.redirect_stdout(io.StringIO()):
        lab.find_issues(features=vectors, issue_types={"label": {}})
    return {DATALAB: lab.get_issues("label")["label_score"].to_numpy()}
