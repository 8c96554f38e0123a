"""A user's network of waveforms: kept in the store, and run in the processes that decode files.

Conventions
-----------
- It is an artifact, `network`, named by the hash of its file and by what it takes. Every process that decodes reads it
  from there, on whatever machine.
- It is tried on noise before the first file is decoded. What is wrong with the network itself ends the run there.
- A file for which it fails keeps its clips: its vector is missing, with the reason.

Why in the decoding processes: a waveform is 30 times the size of its mel, and is gone after the decode. So one decode
gives clips and vector, and a network that hangs or crashes costs one file.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioae.audio.blame import blame_file
from audioae.audio.config import ClipConfig, DecodeConfig, DecodeLimits, WindowConfig
from audioae.config import fingerprint
from audioae.errors import ConfigError, ModelError
from audioae.model.extra_config import ExtraConfig
from audioae.store.artifacts import commit_artifact, read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

if TYPE_CHECKING:
    from audioae.audio.extract import Extracted
    from audioae.model.extra_waveform import WaveformNetwork

CODE = 1  # raise it when the same network and file would give another vector


@dataclass(frozen=True)
class TrackVector:
    """What a network says about a track: its vector (d,), float32, or why there is none."""

    vector: np.ndarray | None
    n_windows: int
    fault: str | None = None


def read_network_file(path: Path) -> bytes:
    """The content of `embedding.extra.path`. Raises `ConfigError` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        problem = error.strerror or error
        raise ConfigError(f"embedding.extra.path: {path}: {problem}; wanted the network's file") from error


def publish_network(store: Store, config: ExtraConfig | None) -> DatasetRef | None:
    """Keep the network of `config` in the store, after it was tried; None if it takes no waveforms.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    ModelError
        If it is no network as wanted.
    """
    if config is None or config.window is None:
        return None
    if existing := find_network(store, config):
        return store.make_current(existing)
    content, settings = _read(config)
    from audioae.model.extra_waveform import WaveformNetwork

    WaveformNetwork(config.kind, content, config.path.name, config.window).check()
    files = {f"network.{config.kind}": content}
    return commit_artifact(store, "network", files, derived={}, recipe=_recipe(settings), config=settings, parents=[])


def find_network(store: Store, config: ExtraConfig) -> DatasetRef | None:
    """The network of `config` in the store. Raises `ConfigError` if its file cannot be read."""
    return store.find("network", _recipe(_read(config)[1]))


def _read(config: ExtraConfig) -> tuple[bytes, dict[str, Any]]:
    content = read_network_file(config.path)
    window = config.window.model_dump() if config.window else {}
    return content, {"kind": config.kind, **window, "sha256": hashlib.sha256(content).hexdigest()}


def _recipe(settings: dict[str, Any]) -> str:
    return fingerprint([CODE, settings])


def network_of(store: Store, model: DatasetRef) -> DatasetRef | None:
    """The network of waveforms whose vectors are part of a model's embeddings, if there is one."""
    manifest = store.manifest(model)
    return manifest.parent("network") if "network" in manifest.parents else None


def load_network(root: str, network: DatasetRef) -> "WaveformNetwork":
    """The network, which a process keeps."""
    return _loaded(root, network)


@lru_cache(maxsize=2)
def _loaded(root: str, network: DatasetRef) -> "WaveformNetwork":
    from audioae.model.extra_waveform import WaveformNetwork

    store = Store(root, verify=False)
    settings = store.manifest(network).config
    window = WindowConfig(sample_rate=settings["sample_rate"], seconds=settings["seconds"])
    content = read_artifact(store, network, f"network.{settings['kind']}")
    return WaveformNetwork(settings["kind"], content, str(network), window)


def track_vector(extracted: "Extracted", network: "WaveformNetwork") -> TrackVector:
    """Run the network on the windows of a decoded file."""
    windows = extracted.windows
    if not isinstance(windows, np.ndarray):
        return TrackVector(None, 0, str(windows))
    try:
        return TrackVector(network.vector(windows), len(windows))
    except ModelError as error:
        return TrackVector(None, len(windows), str(error))


@blame_file
def extract_with_vector(
    path: str | Path,
    clips: ClipConfig,
    decode: DecodeConfig,
    limits: DecodeLimits,
    root: str,
    network: DatasetRef | None,
) -> "Extracted | tuple[Extracted, TrackVector]":
    """`audio.extract.extract`, with the vector of the same decode if there is a network; for worker processes."""
    from audioae.audio.extract import extract

    if network is None:
        return extract(path, clips, decode, limits)
    loaded = load_network(root, network)
    extracted = extract(path, clips, decode, limits, loaded.window)
    return replace(extracted, windows=None), track_vector(extracted, loaded)


def load(_path: Any, _clips: Any, _decode: Any, _limits: Any, root: str, network: DatasetRef | None) -> None:
    """Import the decoders and load the network, in a worker."""
    import audioae.audio.extract  # noqa: F401

    if network:
        load_network(root, network)
