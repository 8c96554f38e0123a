"""Add the datasets `map` and `regions` to the golden sample of store format v3: `python -m tests.golden.make_v3_map`.

They must load forever; an existing sample is kept.
"""

import pyarrow as pa

from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import MAP, REGIONS
from tests.golden.make_v3 import FOLDER


def main() -> None:
    store = Store(str(FOLDER))
    if store.latest("map"):
        return
    trait = {"column": "label", "value": "<b>Techno</b>", "n": 2, "share": 1.0, "lift": 1.5}
    rows = [{"region": 4, "name": "<b>Techno</b>", "n": 2, "x": 0.5, "y": -1.0, "traits": [trait]}]
    store.write_part("regions", "000000-golden", pa.Table.from_pylist(rows, schema=REGIONS))
    regions = store.commit("regions", ["000000-golden"], recipe="golden", config={})
    places = [("00000000000000aa", 0.5, -1.0, 4, True), ("00000000000000ab", 0.25, 2.0, 4, False)]
    places.append(("00000000000000ac", 8.0, 2.0, -1, True))
    table = pa.Table.from_pylist([dict(zip(MAP.names, place, strict=True)) for place in places], schema=MAP)
    store.write_part("map", "000000-golden", table)
    parents = [regions, DatasetRef("index", "000000000000"), DatasetRef("embeddings", "000000000000")]
    store.commit("map", ["000000-golden"], recipe="golden", config={}, parents=parents)


if __name__ == "__main__":
    main()
