"""Made-up vectors of twelve tracks, as a store and as files."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import EMBEDDINGS, TRACKS

N = 12
IDS = [f"{i:03}" for i in range(N)]  # numbers would lose the leading zeros
VECTORS = np.random.default_rng(0).standard_normal((N, 128)).astype(np.float32)
UNIT = (VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)).astype(np.float32)


def columns(**changed) -> dict:
    """Columns of a valid file with changes; None removes a column."""
    good = {
        "track_id": IDS,
        "embedding": VECTORS.tolist(),
        "label": ["rock", "jazz"] * 6,
        "artist": [*[f"x{i // 2}" for i in range(N - 1)], None],
        "title": [f"Song {i}" for i in range(N - 1)] + [None],
        "model": ["vqvae"] * N,
    }
    return {name: values for name, values in {**good, **changed}.items() if values is not None}


def parquet(folder: Path, name: str = "vectors.parquet", **changed) -> str:
    pq.write_table(pa.table(columns(**changed)), folder / name)
    return str(folder / name)


def npz(folder: Path, **arrays) -> str:
    np.savez(folder / "vectors.npz", **arrays)
    return str(folder / "vectors.npz")


def csv(folder: Path, text: str) -> str:
    (folder / "truth.csv").write_text(text)
    return str(folder / "truth.csv")


def publish(
    root: Path, vectors: np.ndarray = UNIT, *, ids: list[str] = IDS, cataloged: list[str] = IDS
) -> tuple[Store, DatasetRef]:
    """A store with a catalog and its embeddings, both in reverse order."""
    store = Store(str(root / "store"))
    rows = [
        {
            "track_id": track_id,
            "uri": str(root / "audio" / f"{track_id}.wav"),
            "title": None if i == 0 else f"Song {i}",
            "artist": f"x{i // 2}",
            "album": None,
            "label": ["rock", "jazz"][i % 2],
            "split": str(i % 3),
            "shard": 0,
            "added_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
        for i, track_id in enumerate(cataloged)
    ]
    store.write_part("tracks", "t", pa.Table.from_pylist(rows[::-1], schema=TRACKS))
    tracks = store.commit("tracks", ["t"], recipe="t", config={})
    made = [
        {"track_id": i, "embedding": v, "n_clips": 1, "padded": False, "reconstruction_error": 0.1, "spread": 0.1}
        for i, v in zip(ids, vectors.tolist(), strict=True)
    ]
    store.write_part("embeddings", "e", pa.Table.from_pylist(made[::-1], schema=EMBEDDINGS))
    parents = [tracks, DatasetRef("model", "abc")]
    return store, store.commit("embeddings", ["e"], recipe="e", config={}, parents=parents)
