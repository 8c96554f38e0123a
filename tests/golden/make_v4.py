"""Write the golden sample of the fourth schema version of `health`: `python -m tests.golden.make_v4`.

Existing datasets are kept, because they must load forever; only missing ones are written.
"""

from pathlib import Path

import pyarrow as pa

from audioae.store.dataset import Store
from audioae.store.schemas import DATASETS

FOLDER = Path(__file__).parent / "v4"
HEALTH = [
    {"track_id": "00000000000000aa", "codec": "mp3", "missing_s": 0.25, "tuning_cents": -12.5, "loop": 0.75},
    {"track_id": "00000000000000ab", "codec": "flac", "octave_16000_db": -40.5, "spike_db": 18.0},
]


def main() -> None:
    store = Store(str(FOLDER))
    if store.latest("health") is None:
        store.write_part("health", "000000-golden", pa.Table.from_pylist(HEALTH, schema=DATASETS["health"].schema))
        store.commit("health", ["000000-golden"], recipe="golden", config={"golden": 4})


if __name__ == "__main__":
    main()
