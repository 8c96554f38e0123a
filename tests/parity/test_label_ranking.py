"""Wrong labels: on the same embeddings, the check ranks them as cleanlab does.

Labels that overlap much (`spread=1.5` here) are ranked better by cleanlab; see docs/screening.md.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict

from audioae.screening.mislabeled.label_noise import swap_labels
from tests.bench.cleanlab_rankings import probability_rankings
from tests.recommend.made import styles
from tests.screening.mislabeled.made import NONE, label_model


def test_average_precision_is_that_of_cleanlabs_rankings():
    vectors, labels = styles(4, 30, spread=1.0)
    swapped = swap_labels(labels, "random", 10, np.random.default_rng(1), np.eye(4), np.full(120, NONE))
    model = LogisticRegression(C=0.3, max_iter=500)
    probability = cross_val_predict(model, vectors, swapped, cv=5, method="predict_proba")
    theirs = probability_rankings(swapped, np.asarray(probability))
    assert len(theirs) == 3
    wrong = swapped != labels
    best = max(average_precision_score(wrong, -score) for score in theirs.values())
    ours = average_precision_score(wrong, -label_model(vectors, 4).score(swapped).score)
    assert 0.9 < best <= ours + 0.02
