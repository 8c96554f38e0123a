"""Add a trained index and the lists of three tracks to the golden sample of store format v3.

`python -m tests.golden.make_v3_lists`; both must load forever, and existing ones are kept.
"""

import numpy as np

from audioae.pipeline.index_lists import lists_table
from audioae.search.embeddings import EmbeddingTable
from audioae.search.factory import IndexConfig
from audioae.search.training import train_on
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from tests.golden.make_v3 import FOLDER

IDS = ["00000000000000aa", "00000000000000ab", "00000000000000ac"]


def vectors(n: int, seed: int) -> np.ndarray:
    """Unit vectors."""
    made = np.random.default_rng(seed).standard_normal((n, 128))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def main() -> None:
    store = Store(str(FOLDER))
    if store.latest("index_lists"):
        return
    sample = EmbeddingTable([f"{row:016x}" for row in range(40)], vectors(40, 0), "model@golden")
    trained = train_on(sample, 40, IndexConfig(factory="IVF2,PQ64x4fs,Refine(SQ8)", n_queries=4, k=2))
    files, config = trained.to_bytes(), {"factory": "IVF2,PQ64x4fs,Refine(SQ8)"}
    training = commit_artifact(store, "index_training", files, derived={}, recipe="golden", config=config, parents=[])
    table = lists_table(trained, EmbeddingTable(IDS, vectors(3, 1), "model@golden"))
    store.write_part("index_lists", "000000-golden", table)
    store.commit("index_lists", ["000000-golden"], recipe="golden", config={}, parents=[training])


if __name__ == "__main__":
    main()
