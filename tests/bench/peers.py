"""Only the rows with a peer, on one store: cleanlab, Chromaprint and ffmpeg's silencedetect next to our checks.

    AUDIOAE_STORE=data [AUDIOAE_MADE_TRACKS=100000 AUDIOAE_MADE=FOLDER] python -m tests.bench.peers [N [PART ...]]

Each benchmark has these rows as well, among others that take longer. Copies are made of N tracks (default: 12), gaps in
twice as many. results/peers.json has the rows of each part's last run; a part is mislabeled, overlap, made,
silence or duplicates (default: all).
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path

from audioae.api import Library
from audioae.store.dataset import Store
from tests.bench import bench_duplicates, bench_mislabeled, bench_silence
from tests.bench.harness import Row
from tests.bench.made_duplicates import measure_made

FILE = Path(__file__).parent / "results" / "peers.json"


def main(n_tracks: int = 12, *chosen: str) -> None:
    library = Library(Store(os.environ.get("AUDIOAE_STORE", "data")))
    bench_duplicates.TRACKS, bench_silence.N_TRACKS = n_tracks, 2 * n_tracks
    parts: dict[str, Callable[[], list[Row]]] = {
        "mislabeled": lambda: bench_mislabeled.measure_swaps("demo", library, bench_mislabeled.true_labels(library)),
        "overlap": bench_mislabeled.measure_overlap,
        "made": measure_made,
        "silence": lambda: bench_silence.measure_store("demo", library),
        "duplicates": lambda: bench_duplicates.measure_copies(library) + bench_duplicates.measure_pairs(library),
    }
    for part in chosen or parts:
        rows = parts[part]()
        print(*rows, sep="\n", flush=True)
        found = json.loads(FILE.read_text()) if FILE.exists() else {}
        found[part] = {"date": date.today().isoformat(), "rows": [asdict(row) | {"met": row.met} for row in rows]}
        FILE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 12, *sys.argv[2:])
