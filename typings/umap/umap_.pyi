from typing import Any, Protocol

import numpy as np
from scipy.sparse import coo_matrix

def find_ab_params(spread: float, min_dist: float) -> tuple[float, float]: ...
def make_epochs_per_sample(weights: np.ndarray, n_epochs: int) -> np.ndarray: ...

class _Compiled(Protocol):
    stats: Any
    def enable_caching(self) -> None: ...

class _Distances(_Compiled, Protocol):
    def __call__(
        self, distances: np.ndarray, k: float, n_iter: int = 64, local_connectivity: float = 1.0, bandwidth: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]: ...

smooth_knn_dist: _Distances
compute_membership_strengths: _Compiled

def fuzzy_simplicial_set(
    X: np.ndarray,
    n_neighbors: int,
    random_state: Any,
    metric: str,
    metric_kwds: dict[str, object] = {},
    knn_indices: np.ndarray | None = None,
    knn_dists: np.ndarray | None = None,
    angular: bool = False,
    set_op_mix_ratio: float = 1.0,
    local_connectivity: float = 1.0,
    apply_set_operations: bool = True,
    verbose: bool = False,
    return_dists: bool | None = None,
) -> tuple[coo_matrix, np.ndarray, np.ndarray]: ...
