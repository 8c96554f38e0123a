"""A model with a user's network beside it: `embedding.extra`, the last step of the stage train.

Conventions
-----------
- It is a version of `model` whose parent is the trained one. It holds copies of that one's files, of the network's file
  and of the projection, so that nothing outside the store is needed to embed.
- The projection is fitted once, on a sample of the clips that the catalog then has. It is kept for as long as the
  trained model, the network's file and its settings are.
- A network of waveforms is a parent of the version instead of a copy in it (`network.py`). Its projection is fitted to
  tracks: the mean embedding of a track's clips, and its stored vector.
"""

import hashlib
from collections import Counter, defaultdict

import numpy as np

from audioae.config import fingerprint
from audioae.constants import EMBEDDING_DIM
from audioae.errors import StoreError
from audioae.model.embedder import Embedder
from audioae.model.extra import Extra, ExtraNetwork, Fusion
from audioae.model.extra_config import ExtraConfig
from audioae.model.weights import model_from_bytes
from audioae.pipeline.clips import mel_codes
from audioae.pipeline.network import publish_network, read_network_file
from audioae.pipeline.network_vectors import read_vectors
from audioae.pipeline.training_clips import choose_tracks, iter_sample, load_clips
from audioae.store.artifacts import commit_artifact, read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Manifest

FIT_CLIPS = 8_192
FIT_TRACK_CLIPS = 32_768  # of about 1,400 tracks
TRACK_RIDGE = 1e-9  # a small catalog has fewer tracks than components
CODE = 1  # raise it when the same model, network and clips would give another projection
WEIGHTS, PROJECTION = "model.safetensors", "projection.safetensors"


def add_extra(store: Store, model: DatasetRef, config: ExtraConfig, mels: DatasetRef) -> DatasetRef:
    """Publish `model` with the network of `config` beside it, or return the version that has it.

    Parameters
    ----------
    store : Store
    model : DatasetRef
        A trained model.
    config : ExtraConfig
    mels : DatasetRef
        The clips that the projection is fitted to.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    ModelError
        If it is no network of its kind, or gives other vectors than wanted.
    """
    content = read_network_file(config.path)
    settings = {
        "kind": config.kind,
        "input": config.input,
        "weight": config.weight,
        "sha256": hashlib.sha256(content).hexdigest(),
        **(config.window.model_dump() if config.window else {}),
    }
    recipe = fingerprint([CODE, str(model), settings])
    if existing := store.find("model", recipe):
        return store.make_current(existing)
    weights, network = read_artifact(store, model, WEIGHTS), publish_network(store, config)
    embedder = Embedder(model_from_bytes(weights), "cpu")
    if network:
        embeddings, vectors = _of_tracks(store, mels, embedder, network)
    else:
        clips = load_clips(store, mels, FIT_CLIPS)[0]
        embeddings = embedder.embed(clips.codes)[0]
        vectors = ExtraNetwork(config.kind, content, config.path.name).vectors(clips.codes)
    fusion = Fusion.fit(embeddings, vectors, config.weight, ridge=TRACK_RIDGE if network else 0.0)
    manifest = store.manifest(model)
    copied = {} if network else {f"extra.{config.kind}": content}
    return commit_artifact(
        store,
        "model",
        {WEIGHTS: weights, **copied, PROJECTION: fusion.to_bytes()},
        derived={name: read_artifact(store, model, name) for name in _derived(manifest)},
        recipe=recipe,
        config={**manifest.config, "extra": settings},
        parents=[
            model,
            *([manifest.parent("mels")] if "mels" in manifest.parents else []),
            *([network] if network else []),
        ],
    )


def trained_model(store: Store, model: DatasetRef) -> DatasetRef:
    """The model itself, or the trained one below it if a network was added."""
    manifest = store.manifest(model)
    return manifest.parent("model") if "extra" in manifest.config else model


def read_extra(store: Store, model: DatasetRef) -> Extra | None:
    """The network that was added to a model, if one was."""
    settings = store.manifest(model).config.get("extra")
    if settings is None:
        return None
    fusion = Fusion.from_bytes(read_artifact(store, model, PROJECTION))
    if settings["input"] == "waveform":
        return Extra(None, fusion)
    file_name = f"extra.{settings['kind']}"
    network = ExtraNetwork(settings["kind"], read_artifact(store, model, file_name), f"{file_name} of {model}")
    return Extra(network, fusion)


def _derived(manifest: Manifest) -> list[str]:
    return [part.name.rpartition("/")[2] for part in manifest.parts if part.derived]


def _of_tracks(
    store: Store, mels: DatasetRef, embedder: Embedder, network: DatasetRef
) -> tuple[np.ndarray, np.ndarray]:
    """The mean embeddings (n, 128) and the vectors (n, d) of a sample of the tracks; clips are read block by block."""
    sums, counts = defaultdict(lambda: np.zeros(EMBEDDING_DIM)), Counter[str]()
    for table in iter_sample(store, mels, choose_tracks(store, mels, FIT_TRACK_CLIPS)):
        ids = table["track_id"].to_numpy()
        for track_id, clip in zip(ids, embedder.embed(mel_codes(table))[0], strict=True):
            sums[track_id] += clip
        counts.update(ids)
    extractions = [part.name.removesuffix(".parquet") for part in store.manifest(mels).parts]
    vectors = read_vectors(store, network, extractions, sums)
    ids = sorted(vectors)
    if not ids:
        raise StoreError(f"{mels}: no track has a vector of {network}; run the stage mels again")
    return np.stack([sums[i] / counts[i] for i in ids]).astype(np.float32), np.stack([vectors[i] for i in ids])
