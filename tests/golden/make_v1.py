"""Write the golden sample of store format v1: `python -m tests.golden.make_v1`. What it wrote must load forever.

A later format gets another script and another folder. This script is never run again after a change of format.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from audioae.config import load_config
from audioae.model.autoencoder import build_model
from audioae.model.config import ModelConfig
from audioae.model.embedder import Embedder
from audioae.model.weights import model_to_bytes
from audioae.pipeline.embed import embed_tracks
from audioae.search.embeddings import EmbeddingTable
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from audioae.store.artifacts import commit_artifact, staging
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS

FOLDER = Path(__file__).parent / "v1"
TRACK_IDS = ["00000000000000aa", "00000000000000ab", "00000000000000ac"]


def main() -> None:
    if FOLDER.exists():
        raise SystemExit(f"{FOLDER} exists; a golden sample is written once")
    store = Store(str(FOLDER))

    def commit(dataset: str, rows: list[dict], *parents: DatasetRef) -> DatasetRef:
        table = pa.Table.from_pylist(rows, schema=DATASETS[dataset].schema)
        store.write_part(dataset, "000000-golden", table)
        return store.commit(dataset, ["000000-golden"], recipe="golden", config={"golden": 1}, parents=parents)

    added_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    track = {
        "uri": "/music/a.mp3",
        "title": "A",
        "artist": "B",
        "album": "C",
        "label": "jazz",
        "split": "1",
        "year": 1999,
    }
    track |= {"duration_s": 30.5, "content_hash": "ff" * 16, "size_bytes": 5, "modified_ns": 6, "shard": 0}
    track |= {"added_at": added_at, "duplicate_of": None}
    nulls = {name: None for name in track if DATASETS["tracks"].schema.field(name).nullable}
    tracks = commit(
        "tracks", [{**track, **more, "track_id": t} for t, more in zip(TRACK_IDS, ({}, nulls, {}), strict=True)]
    )
    rejects = commit(
        "rejects", [{"track_id": TRACK_IDS[2], "stage": "mels", "reason": "silent", "detail": "peak -inf dBFS"}], tracks
    )
    health = commit("health", [{"track_id": TRACK_IDS[0], "codec": "mp3", "sample_rate": 44100, "peak": 0.5}], tracks)
    codes = (np.arange(128 * 130) % 256).astype(np.uint8)
    clip = {"clip": 0, "start_s": 1.5, "peak_db": -3.0, "padded": False}
    clips = [
        {**clip, "track_id": t, "mel": codes[::step].tobytes()} for t, step in zip(TRACK_IDS[:2], (1, -1), strict=True)
    ]
    mels = commit("mels", clips, tracks, health, rejects)
    config = load_config(ModelConfig, "configs/model/undercomplete.yaml", ["channels=[2, 2, 2, 2]"])
    net = build_model(config)
    weights = {"model.safetensors": model_to_bytes(net)}
    model = commit_artifact(store, "model", weights, derived={}, recipe="golden", config={}, parents=[mels])
    table = embed_tracks(store.read(mels), Embedder(net, device="cpu"))
    store.write_part("embeddings", "000000-golden", table)
    embeddings = store.commit(
        "embeddings", ["000000-golden"], recipe="golden", config={}, parents=[tracks, model, health, rejects]
    )
    index = SearchIndex.build(EmbeddingTable.from_arrow(table, str(model)), IndexConfig())
    with staging(store, "index") as folder:
        files = index.save(folder)
        commit_artifact(store, "index", files, derived={}, recipe="golden", config={}, parents=[embeddings, model])


if __name__ == "__main__":
    main()
