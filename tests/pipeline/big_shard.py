"""Decode and embed one made shard of any size, and print what it cost.

`python -m tests.pipeline.big_shard FOLDER N [nothing]`. Files are not read:
each of the N tracks gives 24 clips of noise. With `nothing`, no mels are stored before.
"""

import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.audio import workers
from audioae.audio.extract import Extracted
from audioae.pipeline import embed
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.mels import compute_mels
from audioae.pipeline.shards import part_fingerprint
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import EMBEDDINGS, TRACKS

N_CLIPS = 24


def made_tracks(store: Store, sizes: list[int]) -> DatasetRef:
    """Publish `tracks` with shards of the given sizes."""
    names, n = [], 0
    for shard, size in enumerate(sizes):
        common = {"shard": shard, "added_at": datetime(2026, 1, 2, tzinfo=UTC)}
        ids = [f"t{n + i:08d}" for i in range(size)]
        rows = [{**common, "track_id": t, "uri": f"/music/{t}.mp3", "content_hash": t} for t in ids]
        names.append(part_fingerprint(shard, ids))
        store.write_part("tracks", names[-1], pa.Table.from_pylist(rows, TRACKS))
        n += size
    return store.commit("tracks", names, recipe="made", config={})


def made_clips(track_id: str) -> Extracted:
    """Noise, different for each track."""
    rng = np.random.default_rng(int(track_id[1:]))
    codes = rng.integers(0, 256, (N_CLIPS, 128, 130), np.uint8)
    starts = np.arange(N_CLIPS, dtype=np.float32)
    return Extracted(codes, np.zeros(N_CLIPS, np.float32), starts, False, {"codec": "mp3"})


def decode(_function: Any, items: Any, **_: Any) -> Iterator[tuple[str, Extracted]]:
    """In place of `imap_killable`."""
    for track_id, _arguments in items:
        yield track_id, made_clips(track_id)


def mean_codes(mels: pa.Table, _embedder: Any) -> pa.Table:
    """In place of `embed_tracks`: it costs nothing."""
    ids = mels["track_id"].unique()
    vectors = pa.FixedSizeListArray.from_arrays(
        pa.array(np.zeros(128 * len(ids), np.float32)), type=EMBEDDINGS.field("embedding").type
    )
    columns = [
        ids,
        vectors,
        *(pa.array(np.zeros(len(ids)), pa.float64()).cast(EMBEDDINGS.field(i).type) for i in range(2, 6)),
    ]
    return pa.Table.from_arrays(columns, schema=EMBEDDINGS)


def main(root: str, n: int, *, store_mels: bool) -> None:
    workers.imap_killable = decode
    embed.embed_tracks = mean_codes
    embed._embedder = lambda root, model: None
    store, config = Store(root), MelsConfig()
    model = commit_artifact(store, "model", {}, derived={}, recipe="made", config={}, parents=[])
    tracks = made_tracks(store, [n])
    if store_mels:
        report("mels", n, lambda: compute_mels(store, config, tracks, [0], Workers()))
    report("embeddings", n, lambda: embed.compute_embeddings(store, config, tracks, model, [0], Workers()))


def report(what: str, n: int, work: Any) -> None:
    """Print MiB at the peak of this process, and seconds of CPU."""
    cpu = time.process_time()
    work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    sys.stdout.write(f"{what} {n} {peak} {time.process_time() - cpu:.1f}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), store_mels="nothing" not in sys.argv)
