"""What umap-learn compiles is taken from a cache by every process but the first."""

import subprocess
import sys

from audioae.maps import umap_parts  # fills the cache

HITS = """
from audioae.maps.umap_parts import smooth_knn_dist
print(*smooth_knn_dist.stats.cache_hits.values(), smooth_knn_dist.stats.cache_misses)
"""


def test_another_process_compiles_nothing():
    assert "smooth_knn_dist" in umap_parts.__all__
    output = subprocess.run([sys.executable, "-c", HITS], check=True, capture_output=True, text=True).stdout
    assert output.strip() == "1 Counter()"
