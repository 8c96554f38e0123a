"""A model with a user's network beside it: `embedding.extra`, the last step of the stage train.

Conventions
-----------
- It is a version of `model` whose parent is the trained one. It holds copies of that one's files, of the network's file
  and of the projection, so that nothing outside the store is needed to embed.
- The projection is fitted once, on a sample of the clips that the catalog then has. It is kept for as long as the
  trained model, the network's file and its settings are.
"""

import hashlib
from pathlib import Path

from audioae.config import fingerprint
from audioae.errors import ConfigError
from audioae.model.embedder import Embedder
from audioae.model.extra import Extra, ExtraNetwork, Fusion
from audioae.model.extra_config import ExtraConfig
from audioae.model.weights import model_from_bytes
from audioae.pipeline.training_clips import load_clips
from audioae.store.artifacts import commit_artifact, read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Manifest

FIT_CLIPS = 8_192
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
    content = _read(config.path)
    settings = {
        "kind": config.kind,
        "input": config.input,
        "weight": config.weight,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    recipe = fingerprint([CODE, str(model), settings])
    if existing := store.find("model", recipe):
        return store.make_current(existing)
    weights, clips = read_artifact(store, model, WEIGHTS), load_clips(store, mels, FIT_CLIPS)[0]
    embeddings = Embedder(model_from_bytes(weights), "cpu").embed(clips.codes)[0]
    vectors = ExtraNetwork(config.kind, content, config.path.name).vectors(clips.codes)
    fusion = Fusion.fit(embeddings, vectors, config.weight)
    manifest = store.manifest(model)
    return commit_artifact(
        store,
        "model",
        {WEIGHTS: weights, f"extra.{config.kind}": content, PROJECTION: fusion.to_bytes()},
        derived={name: read_artifact(store, model, name) for name in _derived(manifest)},
        recipe=recipe,
        config={**manifest.config, "extra": settings},
        parents=[model, *([manifest.parent("mels")] if "mels" in manifest.parents else [])],
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
    file_name = f"extra.{settings['kind']}"
    network = ExtraNetwork(settings["kind"], read_artifact(store, model, file_name), f"{file_name} of {model}")
    return Extra(network, Fusion.from_bytes(read_artifact(store, model, PROJECTION)))


def _derived(manifest: Manifest) -> list[str]:
    return [part.name.rpartition("/")[2] for part in manifest.parts if part.derived]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        problem = error.strerror or error
        raise ConfigError(f"embedding.extra.path: {path}: {problem}; wanted the network's file") from error
