"""Embed an audio file that is not in the catalog, with the code, settings and model that made the catalog's embeddings.

Conventions
-----------
- The file is decoded and embedded in a worker process (`audio.workers`): a file that hangs or crashes its decoder, or
  that needs too much memory, costs one `AudioError`. The calling process imports no decoder and no torch.
- A worker loads the model when it first embeds with it, and keeps it; neither that nor an import counts for the limits.
- Workers embed on the CPU, with one thread: one file is 24 clips or fewer.

Why not in the calling process: importing torch holds the interpreter's lock for seconds, and a service answers nothing
meanwhile.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioae.audio.blame import blame_file
from audioae.audio.fingerprint import Fingerprint, fingerprint_clips
from audioae.audio.workers import call_killable, imap_killable
from audioae.constants import CLIP_SAMPLES, N_FRAMES, N_MELS
from audioae.pipeline.config import MelsConfig, OutsideLimits
from audioae.pipeline.network import load_network, network_of, track_vector
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

if TYPE_CHECKING:
    from audioae.model.embedder import Embedder
    from audioae.model.extra_waveform import WaveformNetwork


@dataclass(frozen=True, eq=False)
class Embedded:
    """What a file from outside has in common with a track of the catalog.

    Attributes
    ----------
    embedding : np.ndarray, shape (128,), float32
        Of length 1.
    n_clips : int
    duration_s : float
        Seconds according to the decoder.
    padded : bool
        Whether the file is shorter than a clip and was repeated to fill it.
    reconstruction_error, spread : float
        As in `embeddings`.
    health : dict
        Evidence by the names of `audio.health.HEALTH_COLUMNS`.
    fingerprint : Fingerprint
        To recognize copies.
    """

    embedding: np.ndarray
    n_clips: int
    duration_s: float
    padded: bool
    reconstruction_error: float
    spread: float
    health: dict[str, Any]
    fingerprint: Fingerprint


def embed_outside(
    path: str | Path, store: Store, model: DatasetRef, config: MelsConfig, limits: OutsideLimits
) -> Embedded:
    """Decode and embed a file.

    Parameters
    ----------
    path : str or Path
        Any audio file.
    store : Store
        Where the model is.
    model : DatasetRef
    config : MelsConfig
        How the catalog was decoded.
    limits : OutsideLimits
        What the file may cost.

    Raises
    ------
    AudioError
        If the file cannot be used, with one of `audio.decode.REASONS`.
    ModuleNotFoundError
        If the extra `pipeline` is not installed.
    """
    arguments = str(path), store.root, model, config, limits
    options = {"timeout_s": limits.timeout_s, "memory_mb": limits.memory_mb}
    return call_killable(embed_file, *arguments, **options, prepare=load)


def start_workers(store: Store, model: DatasetRef, n: int) -> None:
    """Start `n` worker processes that have everything loaded: the next `n` files at a time are embedded at once."""
    calls = ((i, ("", store.root, model)) for i in range(n))
    for _ in imap_killable(_nothing, calls, workers=n, timeout_s=60.0, prepare=load):
        pass


@blame_file
def embed_file(path: str | Path, root: str, model: DatasetRef, config: MelsConfig, limits: OutsideLimits) -> Embedded:
    """What `embed_outside` calls in a worker."""
    from audioae.audio.extract import extract

    embedder, network = worker_embedder(root, model), worker_network(root, model)
    extracted = extract(path, config.clips, config.decode, limits, network.window if network else None)
    embeddings, errors, levels = embedder.embed(extracted.codes)
    level_db = levels + extracted.peak_db
    if network:
        vector = track_vector(extracted, network).vector
        ((embedding, spread),) = embedder.pool_with([vector], [embeddings], [level_db])
    else:
        embedding, spread = embedder.pool(embeddings, level_db)
    return Embedded(
        embedding=embedding,
        n_clips=len(embeddings),
        duration_s=float(extracted.health["duration_s"]),
        padded=extracted.padded,
        reconstruction_error=float(errors.mean()),
        spread=spread,
        health=extracted.health,
        fingerprint=fingerprint_clips(extracted.codes, extracted.starts_s),
    )


def load(_path: str | Path, root: str, model: DatasetRef, *_: object) -> None:
    """Import the decoders and load the model, in a worker."""
    import audioae.audio.extract  # noqa: F401

    worker_embedder(root, model)
    worker_network(root, model)


@lru_cache(maxsize=2)
def worker_network(root: str, model: DatasetRef) -> "WaveformNetwork | None":
    """The network of waveforms beside the model, if there is one; a worker process keeps it."""
    network = network_of(Store(root, verify=False), model)
    return load_network(root, network) if network else None


@lru_cache(maxsize=2)  # when an index is replaced, requests with the old one are still in progress
def worker_embedder(root: str, model: DatasetRef) -> "Embedder":
    """The model, which a worker process keeps: for functions that `call_killable` calls there."""
    from audioae.audio.mel import log_mel
    from audioae.pipeline.embed import load_embedder

    embedder = load_embedder(Store(root, verify=False), model, "cpu")
    log_mel(np.zeros((1, CLIP_SAMPLES), np.float32))  # compiles it
    embedder.embed(np.zeros((1, N_MELS, N_FRAMES), np.uint8))
    return embedder


def _nothing(*_: object) -> None:
    pass
