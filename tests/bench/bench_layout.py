"""Maps: how many neighbors t-SNE and UMAP keep, and what they cost.

`uv run --with umap-learn python -m tests.bench layout` lays out the embeddings of the clips in the store in
AUDIOAE_STORE (default: data, the demo's), a sample of each size. Each layout has a process of its own, since UMAP
compiles its code in each.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from audioae.pages.layout import tsne_layout
from audioae.pipeline.clips import mel_codes
from audioae.pipeline.embed import load_embedder
from audioae.store.dataset import Store
from tests.bench.harness import Row

SIZES = (176, 1_000, 2_500)
K = 10


def measure(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    vectors = clip_vectors()
    rows = []
    for n in sizes:
        sample = vectors[:n]
        tsne, tsne_s = timed(tsne_layout, sample)
        umap, umap_s = timed(umap_layout, sample)
        share = kept(sample, tsne)
        rows += [
            Row(
                f"{n} clips: share of nearest {K} kept, t-SNE less UMAP",
                share - kept(sample, umap),
                0.0,
                "",
                f"t-SNE {share:.3f}",
            ),
            Row(f"{n} clips: CPU time of t-SNE to that of UMAP", tsne_s / umap_s, 1.0, higher_is_better=False),
        ]
    return rows


def clip_vectors() -> np.ndarray:
    """Embeddings of all stored clips, of length 1, in random order; shape (n, 128)."""
    store = Store(os.environ.get("AUDIOAE_STORE", "data"))
    embedder = load_embedder(store, store.require("model"))
    parts = [embedder.embed(mel_codes(table))[0] for table in store.iter_parts(store.require("mels"))]
    vectors = np.concatenate(parts).astype(np.float32)
    np.random.default_rng(0).shuffle(vectors)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def umap_layout(vectors: np.ndarray) -> np.ndarray:
    from umap import UMAP  # pyright: ignore[reportMissingImports] - not a dependency

    umap = UMAP(n_neighbors=15, min_dist=0.3, metric="cosine", random_state=0, n_jobs=1)
    return np.asarray(umap.fit_transform(vectors), np.float64)


def timed(layout: Callable[[np.ndarray], np.ndarray | None], vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Positions, and the CPU seconds of a new process for them: imports and compilation are what a user pays too."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(in_this_process, layout, vectors).result()


def in_this_process(layout: Callable[[np.ndarray], np.ndarray | None], vectors: np.ndarray) -> tuple[np.ndarray, float]:
    start = time.process_time()
    positions = layout(vectors)
    assert positions is not None
    return positions, time.process_time() - start


def kept(vectors: np.ndarray, positions: np.ndarray) -> float:
    """The share of the nearest `K` vectors that are also among the nearest `K` positions."""
    from sklearn.neighbors import NearestNeighbors

    near, shown = (
        NearestNeighbors(n_neighbors=K).fit(points).kneighbors(return_distance=False) for points in (vectors, positions)
    )
    return float(np.mean([len({*a} & {*b}) / K for a, b in zip(near.tolist(), shown.tolist(), strict=True)]))
