"""The parts of umap-learn that lay out a map, compiled once per machine; `maps.layout` takes them from here.

Why: umap-learn compiles two of its functions anew in every process that calls them. With the cache they are imported
for less than half of the CPU (`python -m tests.bench map`). And only one process at a time may fill a cache.
"""

import numpy as np

from audioae.compiled import alone, cache_for, start_threads

with alone("umap"):
    start_threads()
    from umap import umap_
    from umap.layouts import optimize_layout_euclidean
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set, make_epochs_per_sample, smooth_knn_dist

    with cache_for(umap_.__file__) as is_cached:
        if is_cached:
            for function in (umap_.smooth_knn_dist, umap_.compute_membership_strengths):
                function.enable_caching()
    # compiled here, while no other process compiles
    fuzzy_simplicial_set(
        np.empty((2, 0)),
        2,
        np.random.RandomState(0),
        "euclidean",
        knn_indices=np.array([[0, 1], [1, 0]]),
        knn_dists=np.array([[0, 1], [0, 1]], np.float32),
    )

__all__ = [
    "find_ab_params",
    "fuzzy_simplicial_set",
    "make_epochs_per_sample",
    "optimize_layout_euclidean",
    "smooth_knn_dist",
]
