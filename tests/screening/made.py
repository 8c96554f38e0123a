"""A store that can be screened, built in a second: no audio, no model, an index of random embeddings."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.config import parse_config
from audioae.pipeline.config import Workers
from audioae.pipeline.index_neighbors import FILE, SCHEMA, index_neighbors_bytes
from audioae.screening.check import Run
from audioae.screening.config import ScreenConfig
from audioae.screening.registry import CHECKS
from audioae.screening.result import Screened
from audioae.screening.run import screen_store
from audioae.search.embeddings import EmbeddingTable
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from audioae.store.artifacts import commit_artifact, staging
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS, EMBEDDINGS

PART = "000000-made"
N = 40


def publish(store: Store, dataset: str, table: pa.Table, *parents: DatasetRef) -> DatasetRef:
    store.write_part(dataset, PART, table)
    return store.commit(dataset, [PART], recipe="made", config={}, parents=parents)


def make_store(
    root: str,
    n: int,
    *,
    copies: Mapping[int, int] | None = None,
    rejected: Sequence[int] = (),
    near: Sequence[Sequence[int]] | None = (),
    health: Mapping[int, Mapping[str, Any]] | None = None,
) -> Store:
    """Tracks t0 to t<n-1>.

    Parameters
    ----------
    copies : mapping of int to int
        Tracks with the bytes of another track.
    rejected : sequence of int
        Tracks without an embedding.
    near : sequence of sequences of int
        Tracks that are one recording. None: the index does not know near duplicates, as in older versions.
    health : mapping of int to mapping
        Columns of `health`.
    """
    store, copies = Store(root), copies or {}
    ids = [f"t{i}" for i in range(n)]
    row = {"label": "Folk", "album": "C", "shard": 0, "added_at": datetime(2026, 1, 2, tzinfo=UTC)}
    rows = [
        {
            **row,
            "track_id": t,
            "uri": f"/music/{t}.mp3",
            "title": "[/b] Title" if i == 14 else f"Title {t}",
            "artist": f"Artist {i % 7}",
        }
        | {"duplicate_of": f"t{copies[i]}" if i in copies else None}
        for i, t in enumerate(ids)
    ]
    tracks = publish(store, "tracks", pa.Table.from_pylist(rows, schema=DATASETS["tracks"].schema))
    bad = [{"track_id": f"t{i}", "stage": "mels", "reason": "silent", "detail": ""} for i in rejected]
    rejects = publish(store, "rejects", pa.Table.from_pylist(bad, schema=DATASETS["rejects"].schema), tracks)
    embedded = [i for i in range(n) if i not in copies and i not in set(rejected)]
    evidence = [{"track_id": f"t{i}", **(health or {}).get(i, {})} for i in embedded]
    measured = publish(store, "health", pa.Table.from_pylist(evidence, schema=DATASETS["health"].schema), tracks)
    model = commit_artifact(store, "model", {"w": b""}, derived={}, recipe="made", config={}, parents=[])
    vectors = np.random.default_rng(0).standard_normal((len(embedded), 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = EmbeddingTable([ids[i] for i in embedded], vectors, str(model))
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=EMBEDDINGS.field("embedding").type)
    zeros = np.zeros(len(embedded), np.float32)
    columns = [table.track_ids, values, zeros.astype(np.int16), zeros > 0, zeros, zeros]
    embeddings = publish(
        store,
        "embeddings",
        pa.Table.from_arrays([pa.array(c) for c in columns], schema=EMBEDDINGS),
        tracks,
        model,
        measured,
        rejects,
    )
    make_index(store, table, embeddings, near)
    return store


def make_index(
    store: Store, table: EmbeddingTable, embeddings: DatasetRef, near: Sequence[Sequence[int]] | None, recipe: str = "a"
) -> DatasetRef:
    """An index with these groups of near duplicates, all with similarity 0.9; another recipe gives another version."""
    group = {f"t{i}": f"t{members[0]}" for members in near or () for i in members}
    ids = table.track_ids.to_pylist()
    neighborhood = pa.Table.from_arrays(
        [
            pa.array(ids),
            pa.array(np.zeros(len(ids), np.float32)),
            pa.array([group.get(t) for t in ids], pa.string()),
            pa.array([0.9 if t in group else None for t in ids], pa.float32()),
        ],
        schema=SCHEMA,
    )
    derived = {} if near is None else {FILE: index_neighbors_bytes(neighborhood)}
    parents = [embeddings, store.manifest(embeddings).parent("model")]
    with staging(store, "index") as folder:
        files = SearchIndex.build(table, IndexConfig(factory="Flat")).save(folder)
        return commit_artifact(store, "index", files, derived=derived, recipe=recipe, config={}, parents=parents)


def store_with_copies(root: str) -> Store:
    """t1 has the bytes of t0, t4 those of the rejected t3; t0, t5 and t9 are one recording, and t5 the best copy."""
    health = {
        0: {"codec": "vorbis", "bit_rate": 96_000, "cutoff_hz": 20_000.0},
        5: {"codec": "pcm_16", "bit_rate": 900_000, "cutoff_hz": 20_000.0},
        9: {"codec": "mpeg_layer_iii", "bit_rate": 64_000, "cutoff_hz": 11_000.0},
    }
    return make_store(root, N, copies={1: 0, 4: 3}, rejected=[3, 30], near=[(0, 5, 9)], health=health)


def replace_check(monkeypatch, name: str, run: Run | None = None, **changes: Any) -> None:
    """Give a check of the registry another `run`, or other properties."""
    changes |= {} if run is None else {"run": run}
    monkeypatch.setitem(CHECKS, name, replace(CHECKS[name], **changes))


def install_fake_check(monkeypatch) -> list[str]:
    """Replace check corrupt by one that scores t10 to t29 from bad to good, t10 to t12 as an album; notes its calls."""
    calls: list[str] = []

    def run(library, config, workers, progress, steps) -> Screened:
        calls.append("corrupt")
        rows = np.arange(10, 30)
        group = np.where(rows < 13, "album: C", "")
        score = np.linspace(0.1, 0.9, 20)
        evidence = {i: {"why": f"hum of {i} dB", "listen_s": [1.5, 2.0]} for i in range(10)}
        score[-1] = np.nan
        ids = np.array([f"t{row}" for row in rows])
        return Screened("corrupt", ids, score, 0.5, evidence, group, measured={"held out": {"auroc": np.float32(0.5)}})

    replace_check(monkeypatch, "corrupt", run)
    return calls


def screen(store: Store, **sections: Any) -> DatasetRef:
    """Screen the current index; without sections by the checks corrupt and duplicate."""
    config = parse_config(ScreenConfig, {"mislabeled": None, **sections}, where="test")
    return screen_store(store, config, store.require("index"), Workers(1))


def fill_in(path: Path, verdicts: Mapping[str, str]) -> Path:
    """Write verdicts into the CSV of `audioae findings --out`, as a person does."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows({**row, "verdict": verdicts.get(row["track_id"], row["verdict"])} for row in rows)
    return path
