"""Write the golden sample of `network_vectors`: `python -m tests.golden.make_v5`.

Existing datasets are kept, because they must load forever; only missing ones are written.
"""

from pathlib import Path

import pyarrow as pa

from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.schemas import DATASETS

FOLDER = Path(__file__).parent / "v5"
ROWS = [
    {"track_id": "00000000000000aa", "vector": [0.5, -1.25, 3.0], "n_windows": 24},
    {"track_id": "00000000000000ab", "n_windows": 1, "fault": "extra net: 3 of 3 numbers are NaN or infinite"},
]


def main() -> None:
    store = Store(str(FOLDER))
    if store.latest("network_vectors") is None:
        settings = {"kind": "onnx", "sample_rate": 16_000, "seconds": 3.0, "sha256": "made"}
        files = {"network.onnx": b"made"}
        network = commit_artifact(store, "network", files, derived={}, recipe="golden", config=settings, parents=[])
        table = pa.Table.from_pylist(ROWS, schema=DATASETS["network_vectors"].schema)
        store.write_part("network_vectors", "000000-golden", table)
        store.commit("network_vectors", ["000000-golden"], recipe="golden", config={}, parents=[network])


if __name__ == "__main__":
    main()
