"""What a map keeps: neighbors on the store of AUDIOAE_STORE (default: data), and places when a catalog grows.

Conventions
-----------
- The store has a map (`audioae run map CONFIG`). Asked are at most `ASKED` tracks, evenly spaced over all of the map;
  the neighbors of a track are those that the index finds among all tracks.
- PCA-2 is the plane of the two principal axes, on the same tracks.
- Trustworthiness (Venna and Kaski 2001) is of at most `TRUSTED` tracks: it needs all pairs.
- What it costs to make a map is measured by `tests.bench growth`, case map.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import numpy as np

from audioae.library.generation import Generation
from audioae.maps.alignment import diagonal, shift
from audioae.maps.config import MapConfig
from audioae.maps.fitting import FittedMap, no_last_map
from audioae.maps.quality import K
from audioae.maps.reader import CatalogMap, read_map
from audioae.pipeline.embeddings import iter_embeddings, take_embeddings
from audioae.pipeline.index_neighbors import nearest_others
from audioae.search.projection import fit_plane
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from tests.bench.harness import Row
from tests.search.made import clustered, make_table

ASKED, TRUSTED = 2000, 5000
N, MORE = 5000, 1000


def measure() -> Iterator[Row]:
    library = Generation(Store(os.environ.get("AUDIOAE_STORE", "data"), verify=False))
    opened = read_map(library.store, library.index_ref)
    yield from _neighbors(library, opened)
    yield from _places_when_it_grows()
    yield _compilation()


def _compilation() -> Row:
    """What a process pays for the parts of umap-learn whose compiled code others have left, to what it pays alone."""
    with tempfile.TemporaryDirectory() as folder:
        alone, second = (_cpu_of_import(folder) for _ in range(2))
    return Row("CPU to import umap-learn's parts, cached / not", second / alone, None, "x", f"{alone:.1f} s without")


def _cpu_of_import(cache: str) -> float:
    code = "import os, audioae.maps.umap_parts; print(sum(os.times()[:2]))"
    env = {**os.environ, "XDG_CACHE_HOME": cache}
    output = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout
    return float(output)


def _neighbors(library: Generation, opened: CatalogMap) -> Iterator[Row]:
    from sklearn.manifold import trustworthiness

    sample = evenly_spaced(len(opened), TRUSTED)
    vectors = _vectors(library, sample)
    plane = _plane(library, vectors)
    asked = evenly_spaced(len(opened), ASKED)
    rows = opened.ids.rows_of(library.index.read_ids())
    queries = vectors[np.searchsorted(sample, asked)] if len(sample) == len(opened) else _vectors(library, asked)
    _, truth = nearest_others(library.index, queries, asked, rows)
    of = f"{len(opened):,} tracks"
    kept, by_plane = _kept(opened.points, asked, truth), _kept(plane, asked, truth)
    yield Row("10 nearest neighbors kept", kept, None, "", of)
    yield Row("10 nearest neighbors kept, to PCA-2", kept / max(by_plane, 1e-9), 1.5, "x", f"PCA-2: {by_plane:.4f}")
    trusted = trustworthiness(vectors, opened.points[sample], n_neighbors=K)
    by_plane = trustworthiness(vectors, plane[sample], n_neighbors=K)
    yield Row("trustworthiness", float(trusted), None, "", f"{len(sample):,} tracks; PCA-2: {by_plane:.4f}")
    same, chance = _of_one_region(opened, asked, truth)
    yield Row("neighbors in the track's region", same, None, "", f"by chance: {chance:.4f}")


def _plane(library: Generation, vectors: np.ndarray) -> np.ndarray:
    """All tracks on the two principal axes of a sample."""
    axes = fit_plane(vectors)
    blocks = iter_embeddings(library.store, library.embeddings_ref)
    return np.concatenate([axes.project(block.embeddings) for block in blocks])


def _vectors(library: Generation, rows: np.ndarray) -> np.ndarray:
    return take_embeddings(library.store, library.embeddings_ref, rows).embeddings


def _kept(places: np.ndarray, asked: np.ndarray, truth: np.ndarray) -> float:
    """The share of the true neighbors that are among as many nearest on the map."""
    from scipy.spatial import KDTree

    found = np.asarray(KDTree(places).query(places[asked], truth.shape[1] + 1)[1])
    own = found == asked[:, None]
    own[~own.any(axis=1), -1] = True
    others = found[~own].reshape(truth.shape)
    return float((others[:, :, None] == truth[:, None, :]).any(axis=2).mean())


def _of_one_region(opened: CatalogMap, asked: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """How often neighbors have one region, and how often any two tracks do."""
    same = opened.region[truth] == opened.region[asked][:, None]
    shares = np.unique(opened.region, return_counts=True)[1] / len(opened)
    return float(same[truth >= 0].mean()), float((shares**2).sum())


def _places_when_it_grows() -> Iterator[Row]:
    vectors = clustered(N + MORE, seed=1)
    first = FittedMap(make_table(vectors[:N]), MapConfig(), no_last_map(N))
    last = no_last_map(N + MORE)
    last.places[:N], last.region[:N] = first.places, first.region
    last = last._replace(next_region=first.next_region, same_model=True)
    grown = FittedMap(make_table(vectors), MapConfig(), last)
    fresh = FittedMap(make_table(vectors), MapConfig(), last._replace(same_model=False))
    note = f"{N:,} made tracks and {MORE:,} more; share of the map's diagonal"
    yield Row("median shift, 20 % more tracks", grown.measured["median_shift"], 0.05, "", note, False)
    yield Row("median shift, another model", fresh.measured["median_shift"], None, "", "the same embeddings")
    yield Row("tracks that keep their region", float((grown.region[:N] == first.region).mean()), 0.7, "", "")
    alone = FittedMap(make_table(vectors), MapConfig(), no_last_map(N + MORE)).places
    moved = float(np.median(shift(alone[:N], first.places, diagonal(alone))))
    yield Row("median shift without the last map", moved, None, "", "starts from the principal axes")
