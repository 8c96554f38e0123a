"""Stores whose embeddings, mels and model belong together: made noise, and a model that nobody trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from audioae.library.generation import Generation
from audioae.model.autoencoder import build_model
from audioae.model.config import ModelConfig
from audioae.model.embedder import Embedder
from audioae.model.weights import model_to_bytes
from audioae.pipeline.config import MelsConfig
from audioae.pipeline.embed import embed_tracks
from audioae.pipeline.index import build_index
from audioae.search.factory import IndexConfig
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.schemas import EMBEDDINGS
from tests.stores import made_store

N_TRACKS, N_CLIPS = 20, 80
CONFIGS: dict[str, dict[str, Any]] = {
    "product": {"bottleneck": {"kind": "vq", "groups": 4, "codebook_size": 8}},
    "vae_2d": {"bottleneck": {"kind": "gaussian", "dim": 2}},
    "linear": {"bottleneck": {"kind": "linear"}},
    "grid": {
        "bottleneck": {"kind": "linear"},
        "grid": {"codebook_size": 8, "width": 4},
        "terms": [{"kind": "mse"}, {"kind": "grid"}],
    },
}


def latent_store(folder: Path, variant: str = "product", *, mels: bool = True) -> tuple[Store, Embedder]:
    """20 tracks of 4 clips, embedded by an untrained model of `CONFIGS`; without `mels`, these are not published."""
    store = made_store(folder / "store", N_TRACKS, indexed=False)
    older = Generation(store, embeddings=store.require("embeddings"))
    config = {"channels": [2, 4], "head": {"kind": "flat"}, "terms": [{"kind": "mse"}], "augment": None}
    parsed = ModelConfig.model_validate({**config, **CONFIGS[variant]})
    model = build_model(parsed)
    (name,) = store.part_fingerprints("mels")
    table = store.read_part("mels", name)
    _fit(model, table)
    parents = [store.commit("mels", [name], recipe="made", config={}, parents=[older.tracks_ref])] if mels else []
    files, settings = {"model.safetensors": model_to_bytes(model)}, {"model": parsed.model_dump(mode="json")}
    ref = commit_artifact(store, "model", files, derived={}, recipe="latent", config=settings, parents=parents)
    embedder = Embedder(model, "cpu")
    store.write_part("embeddings", "000000-latent", embed_tracks(table, embedder).cast(EMBEDDINGS))
    health = store.manifest(older.embeddings_ref).parent("health")
    parents = [older.tracks_ref, ref, older.rejects_ref, health]
    mels_config = {"mels": MelsConfig().model_dump(mode="json")}
    embeddings = store.commit("embeddings", ["000000-latent"], recipe="latent", config=mels_config, parents=parents)
    build_index(store, IndexConfig(), embeddings)
    return store, embedder


@torch.no_grad()
def _fit(model: Any, table: pa.Table) -> None:
    """Center and scale the embeddings, and put the codes where the clips are."""
    codes = np.frombuffer(b"".join(table["mel"].to_pylist()), np.uint8).reshape(-1, 128, 130)
    model.eval()
    raw = model.embedding_norm.invert(model.embed(torch.from_numpy(codes.copy())))
    model.embedding_norm.fit(raw)
    if model.grid:
        model.grid.quantizer.codebooks.normal_(generator=torch.Generator().manual_seed(0))
    if hasattr(model.bottleneck, "quantizer"):
        quantizer = model.bottleneck.quantizer
        _, books, size, dim = quantizer.codebooks.shape
        rows = torch.arange(books * size).view(books, size) % len(raw)
        parts = raw.unflatten(1, (books, dim)).transpose(0, 1)
        quantizer.codebooks[0] = torch.stack([parts[book][rows[book]] for book in range(books)])
