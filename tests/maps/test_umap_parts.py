"""What umap-learn compiles is taken from a cache by every process but the first, and disturbs nobody's threads."""

import os
import subprocess
import sys

import pytest

from audioae.maps import umap_parts  # fills the cache

HITS = """
from audioae.maps.umap_parts import smooth_knn_dist
print(*smooth_knn_dist.stats.cache_hits.values(), smooth_knn_dist.stats.cache_misses)
"""

THREADS = """
import numpy as np, torch
print(torch.get_num_threads())
from audioae.maps.layout import fit_layout, neighbor_graph
rows = (np.arange(40)[:, None] + [1, 2]) % 40
fit_layout(neighbor_graph(rows, np.ones((40, 2), np.float32), 0), np.eye(40, 2, dtype=np.float32), min_dist=0.1, seed=0)
print(torch.get_num_threads())
"""


def test_another_process_compiles_nothing():
    assert "smooth_knn_dist" in umap_parts.__all__
    output = subprocess.run([sys.executable, "-c", HITS], check=True, capture_output=True, text=True).stdout
    assert output.strip() == "1 Counter()"


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one core: no number of threads that could be forgotten")
def test_the_number_of_threads_of_others_is_kept():
    """Of torch, and so of FAISS, which has the same OpenMP where torch was loaded first."""
    command, environment = [sys.executable, "-c", THREADS], {**os.environ, "OMP_NUM_THREADS": "1"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    assert output.split() == ["1", "1"]
