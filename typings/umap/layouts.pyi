import numpy as np

def optimize_layout_euclidean(
    head_embedding: np.ndarray,
    tail_embedding: np.ndarray,
    head: np.ndarray,
    tail: np.ndarray,
    n_epochs: int,
    n_vertices: int,
    epochs_per_sample: np.ndarray,
    a: float,
    b: float,
    rng_state: np.ndarray,
    gamma: float = 1.0,
    initial_alpha: float = 1.0,
    negative_sample_rate: float = 5.0,
    parallel: bool = False,
    verbose: bool = False,
    densmap: bool = False,
    densmap_kwds: dict[str, object] | None = None,
    tqdm_kwds: dict[str, object] | None = None,
    move_other: bool = False,
) -> np.ndarray: ...
