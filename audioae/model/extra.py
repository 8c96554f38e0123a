"""A user's pretrained network, and how its vectors join the embedding of a model.

Conventions
-----------
- A network of mels gives one vector per clip (`extra_config.ExtraConfig` has its contract). It runs on the CPU, in
  blocks of `BLOCK` clips, the last one padded: a vector does not depend on its batch.
- A network of waveforms gives one vector per track (`extra_waveform.py`), which is computed where files are decoded.
  Clips alone, without their waveform, get the mean of the catalog's vectors in its place.
- Vectors are centered and scaled to `weight` times the spread of the embedding, concatenated with it, and projected on
  the first 128 principal components of training clips (of tracks, for waveforms). The projection is linear, so the mean
  over a track's clips is the projection of the track's vectors; it stays as it was fitted for all tracks that come
  later.
- Decoding an embedding goes back through the same components. What the network added is lost there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from audioae.audio.mel import decode_mel
from audioae.constants import EMBEDDING_DIM, N_FRAMES, N_MELS
from audioae.errors import ModelError
from audioae.model.extra_files import MOST_UNITS, Kind, load_file, run_network

BLOCK = 16


class ExtraNetwork:
    """A network from mels to vectors.

    Parameters
    ----------
    kind : "onnx" or "torchscript"
    content : bytes
        Of the file.
    name : str
        For messages.

    Raises
    ------
    ModelError
        If the content is no such network.
    ModuleNotFoundError
        If `kind` is "onnx", and onnxruntime is not installed.
    """

    def __init__(self, kind: Kind, content: bytes, name: str):
        self.name = name
        self._network = load_file(kind, content, name)

    def vectors(self, codes: np.ndarray) -> np.ndarray:
        """Compute the vectors (n, d), float32, of clips, given as codes (n, 128, 130) uint8.

        Raises
        ------
        ModelError
            If the network fails, or gives anything but one finite row per clip.
        """
        found = [block[:n] for block, n in self.blocks(codes)]
        return np.concatenate(found) if found else np.empty((0, 0), np.float32)

    def blocks(self, codes: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
        """Yield the vectors of whole blocks, (`BLOCK`, d), each with the number of its rows that count."""
        for start in range(0, len(codes), BLOCK):
            block = codes[start : start + BLOCK]
            yield self._block(block), len(block)

    def _block(self, codes: np.ndarray) -> np.ndarray:
        mels = np.zeros((BLOCK, N_MELS, N_FRAMES), np.float32)
        mels[: len(codes)] = decode_mel(codes)
        found = run_network(self._network, self.name, "mels", mels)
        if found.ndim != 2 or len(found) != BLOCK or not 1 <= found.shape[1] <= MOST_UNITS:
            wanted = f"wanted ({BLOCK}, d) with d up to {MOST_UNITS:,}"
            raise ModelError(f"extra {self.name}: got {found.shape} for {BLOCK} clips, {wanted}")
        if n := int((~np.isfinite(found[: len(codes)])).sum()):
            raise ModelError(f"extra {self.name}: {n} numbers of {len(codes)} clips are NaN or infinite")
        return found


@dataclass(frozen=True)
class Fusion:
    """The projection of an embedding and a network's vectors on their first 128 principal components.

    Attributes
    ----------
    own : Tensor, shape (128, 128)
        From the embedding to the components.
    extra : Tensor, shape (d, 128)
        From a centered vector of the network to the components, its scale included.
    mean : Tensor, shape (d,)
        Of the network's vectors.
    """

    own: Tensor
    extra: Tensor
    mean: Tensor

    @classmethod
    def fit(cls, embeddings: np.ndarray, vectors: np.ndarray, weight: float, *, ridge: float = 0.0) -> "Fusion":
        """Fit the projection to embeddings (n, 128) and vectors (n, d) of the same clips or tracks.

        `ridge` is variance that is added to each dimension of the embedding, as a share of the largest component's.
        With fewer rows than components, the others then are directions of the embedding, and not arbitrary ones.

        Raises
        ------
        ModelError
            If the network gives the same vector for every clip.
        """
        own, mean = embeddings.astype(np.float64), vectors.mean(axis=0, dtype=np.float64)
        extra = vectors.astype(np.float64) - mean
        spread = float(np.square(extra).sum())
        if spread < 1e-12 * max(float(np.square(mean).sum()), 1e-12) * len(extra):
            raise ModelError(f"extra: all {len(vectors)} clips have the same vector; does the network read its input?")
        centered = own - own.mean(axis=0)
        scale = weight * (float(np.square(centered).sum()) / spread) ** 0.5
        both = np.concatenate([centered, scale * extra], axis=1)
        products = both.T @ both
        if ridge:
            added = ridge * float(np.linalg.eigvalsh(products)[-1])
            products[np.arange(EMBEDDING_DIM), np.arange(EMBEDDING_DIM)] += added
        components = np.linalg.eigh(products)[1][:, ::-1][:, :EMBEDDING_DIM]
        largest = components[np.abs(components).argmax(axis=0), np.arange(EMBEDDING_DIM)]
        components = components * np.where(largest < 0, -1, 1)  # the signs are free: the same on every machine
        parts = components[:EMBEDDING_DIM], scale * components[EMBEDDING_DIM:], mean
        return cls(*(torch.from_numpy(np.ascontiguousarray(part, np.float32)) for part in parts))

    def to_bytes(self) -> bytes:
        import safetensors.torch  # here: training and embedding need it only with a network of the user

        return safetensors.torch.save({"own": self.own, "extra": self.extra, "mean": self.mean})

    @classmethod
    def from_bytes(cls, content: bytes) -> "Fusion":
        """Raises `ModelError` if the content is no projection."""
        import safetensors.torch

        try:
            return cls(**safetensors.torch.load(content))
        except Exception as error:
            raise ModelError(f"extra: got {len(content)} bytes that are no projection; run the stage train") from error


class FusedNorm(nn.Module):
    """In place of a model's `embedding_norm`: from the latent to the components, and back to a latent."""

    own: Tensor

    def __init__(self, norm: Any, own: Tensor):
        super().__init__()
        self.norm = norm
        self.register_buffer("own", own)

    def forward(self, latent: Tensor) -> Tensor:
        with torch.autocast(latent.device.type, enabled=False):
            return self.norm(latent.float()) @ self.own

    def invert(self, embeddings: Tensor) -> Tensor:
        return self.norm.invert(embeddings @ self.own.T)


class Extra:
    """A network with its projection: what `Embedder` adds to the embeddings of clips.

    Without a `network`, whose vectors are of tracks and computed elsewhere, nothing is added to clips.
    """

    def __init__(self, network: ExtraNetwork | None, fusion: Fusion):
        self.network, self.fusion = network, fusion

    def attach(self, model: Any) -> None:
        """Let the model's own part of an embedding be projected, in place."""
        model.embedding_norm = FusedNorm(model.embedding_norm, self.fusion.own)

    def part(self, codes: np.ndarray) -> np.ndarray:
        """What is added to the embeddings of clips: (n, 128) float32."""
        if self.network is None:
            return np.zeros((len(codes), EMBEDDING_DIM), np.float32)
        mean, extra = self.fusion.mean.numpy(), self.fusion.extra.numpy()
        parts = [np.empty((0, EMBEDDING_DIM), np.float32)]
        for vectors, n in self.network.blocks(codes):
            if vectors.shape[1] != len(mean):
                got = f"got {vectors.shape[1]} numbers per clip, wanted {len(mean)}"
                raise ModelError(f"extra {self.network.name}: {got}")
            parts.append(((vectors - mean) @ extra)[:n])  # of the whole block: sums depend on its size
        return np.concatenate(parts)

    def part_of_tracks(self, vectors: Sequence[np.ndarray | None]) -> np.ndarray:
        """What is added to the embeddings of all clips of tracks, (n, 128) float32; nothing for a vector of None."""
        mean, extra = self.fusion.mean.numpy(), self.fusion.extra.numpy()
        parts = np.zeros((len(vectors), EMBEDDING_DIM), np.float32)
        for part, vector in zip(parts, vectors, strict=True):
            if vector is not None:
                if len(vector) != len(mean):
                    raise ModelError(f"extra: got {len(vector)} numbers per track, wanted {len(mean)}; embed again")
                part[:] = (vector - mean) @ extra
        return parts
