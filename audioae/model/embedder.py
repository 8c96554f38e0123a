"""From clips to embeddings: runs a trained model in its fastest form, in blocks of one size.

Conventions
-----------
- Input: codes (n, 128, 130) uint8. Output: embeddings (n, 128) float32 in the same order, with errors and levels.
- Every block has the same shape, and the last one is padded: a clip's embedding does not depend on its batch.
- The encoder runs in float32, or with `half` in bfloat16 where PyTorch's autocast uses it; head and bottleneck always
  run in float32. `python -m tests.bench gpu` measures what `half` gains and how far its embeddings are.
- A track's embedding is pooled from those of its clips (`pooling.py`), as the config of the head says.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from audioae.constants import EMBEDDING_DIM, N_FRAMES, N_MELS
from audioae.errors import ModelError
from audioae.model.autoencoder import ConvAutoencoder
from audioae.model.blocks import Stage, mean_level
from audioae.model.extra import Extra
from audioae.model.gpu_forward import GpuForward
from audioae.model.heads import Parts
from audioae.model.pca import PcaModel
from audioae.model.pooling import loudness, mean_clip, pool_track, to_unit
from audioae.model.threads import cpu_threads

BLOCK = 16
GPU_BLOCK = 768  # a GPU waits less for the program; 32 tracks of 24 clips, as the stage has them


class Embedder:
    """A trained model, folded and laid out for inference.

    Parameters
    ----------
    model : ConvAutoencoder or PcaModel
        The embedder works on a copy of it.
    device : str
        "cpu", "cuda", "mps", or "auto" (a CUDA GPU if available, else the CPU).
    threads : int, optional
        CPU threads of one call of `embed`; default: all cores but one.
    half : bool
        Whether `embed` computes in bfloat16.
    extra : Extra, optional
        A network whose vectors join the embeddings: `embed` runs one of mels on the CPU, `pool_with` adds the vectors
        of one of waveforms. Its projection mixes the parts of an embedding, so none has a length of its own.
    """

    def __init__(
        self,
        model: ConvAutoencoder | PcaModel,
        device: str = "auto",
        *,
        threads: int | None = None,
        half: bool = False,
        extra: Extra | None = None,
    ):
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device, self.threads, self.half = torch.device(device), threads, half
        self.block = GPU_BLOCK if self.device.type == "cuda" else BLOCK
        self.extra, folded = extra, fold(model)
        self.head = None if isinstance(model, PcaModel) else model.config.head
        if extra:
            extra.attach(folded)
        self.model = folded.to(self.device)
        self.gpu = GpuForward(self._embed_block, self.device) if self.device.type == "cuda" else None

    @property
    def device_name(self) -> str:
        """What runs the model: `cpu`, `mps`, or what a GPU calls itself."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type

    @torch.inference_mode()
    def embed(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compute embeddings (n, 128), reconstruction errors (n,) and levels (n,) of clips, all float32.

        The error is the mean squared difference per bin of the normalized mel. The level is the mean power of the mel
        in dB, relative to its maximum: what `pool` needs, with the maximum added.

        Raises
        ------
        ModelError
            If `codes` is not (n, 128, 130) uint8.
        """
        if codes.ndim != 3 or codes.shape[1:] != (N_MELS, N_FRAMES) or codes.dtype != np.uint8:
            raise ModelError(f"embed: got {codes.shape} {codes.dtype}, wanted (n, {N_MELS}, {N_FRAMES}) uint8 codes")
        if not len(codes):
            return np.empty((0, EMBEDDING_DIM), np.float32), np.empty(0, np.float32), np.empty(0, np.float32)
        with cpu_threads(self.threads):
            blocks = [self._forward(self._whole(codes[i : i + self.block])) for i in range(0, len(codes), self.block)]
            outputs = (torch.cat(parts)[: len(codes)].float().cpu() for parts in zip(*blocks, strict=True))
            embeddings, errors, levels = outputs
            added = self.extra.part(codes) if self.extra else 0
        return embeddings.numpy() + added, errors.numpy(), levels.numpy()

    def pool(self, clips: np.ndarray, level_db: np.ndarray) -> tuple[np.ndarray, float]:
        """Pool the clips of a track to its embedding (128,) and the spread of its clips.

        Parameters
        ----------
        clips : np.ndarray, shape (n, 128)
            From `embed`.
        level_db : np.ndarray, shape (n,)
            Their levels: from `embed`, plus the maximum of each clip (`peak_db`).
        """
        return pool_track(clips, self._parts(len(clips)), self._weights(level_db))

    def pool_each(self, clips: np.ndarray) -> np.ndarray:
        """Pool each of the clips (n, 128) as a track of its own: (n, 128) float32."""
        return to_unit(clips, self._parts(1)).astype(np.float32)

    def mean(self, clips: np.ndarray, level_db: np.ndarray) -> np.ndarray:
        """The mean (128,) of a track's clips as `pool` weighs them, scaled as `embed` returns them."""
        return mean_clip(clips, self._weights(level_db))

    def pool_with(
        self, vectors: Sequence[np.ndarray | None], clips: Sequence[np.ndarray], levels_db: Sequence[np.ndarray]
    ) -> list[tuple[np.ndarray, float]]:
        """Pool tracks as `pool`, with the vector that a network of waveforms gave each (None: it failed).

        The spread is that of the clips' embeddings alone: the network says one thing of all of them.
        """
        if self.extra is None:
            raise ModelError("embed: got vectors of a network, but the model has none beside it; embed again")
        parts = self.extra.part_of_tracks(vectors)
        both = zip(clips, parts, levels_db, strict=True)
        return [(self.pool(of_track + part, level_db)[0], pool_track(of_track)[1]) for of_track, part, level_db in both]

    def _parts(self, n_clips: int) -> Parts:
        return self.head.track_parts(n_clips) if self.head and not self.extra else ()

    def _weights(self, level_db: np.ndarray) -> np.ndarray | None:
        return loudness(level_db) if self.head and self.head.clip_weight == "loudness" else None

    def _whole(self, codes: np.ndarray) -> torch.Tensor:
        """A whole block, filled up with clips of nothing."""
        if len(codes) < self.block:
            codes = np.concatenate([codes, np.zeros((self.block - len(codes), N_MELS, N_FRAMES), np.uint8)])
        return torch.from_numpy(np.ascontiguousarray(codes))

    def _forward(self, block: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Embed a block; on a GPU the results stay there, so that it need not wait for the next one."""
        return self.gpu(block) if self.gpu else self._embed_block(block)

    def _embed_block(self, block: torch.Tensor) -> tuple[torch.Tensor, ...]:
        # a graph must not read casts of weights that autocast caches
        cached = self.device.type != "cuda"
        block = block.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half, cache_enabled=cached):
            return *self.model.embed_and_score(block), mean_level(block)

    @torch.inference_mode()
    @cpu_threads()
    def reconstruct(self, codes: np.ndarray) -> np.ndarray:
        """Encode and decode mels; returns (n, 128, 130) float32 in dB. All clips form one batch: pass only a few."""
        return self.model.reconstruct(torch.from_numpy(codes).to(self.device)).float().cpu().numpy()

    @torch.inference_mode()
    @cpu_threads()
    def decode(self, embeddings: np.ndarray) -> np.ndarray:
        """Decode embeddings (n, 128), scaled as `embed` returns them, to mels (n, 128, 130), float32 in dB.

        An embedding pooled over clips holds no single events: it decodes to a smooth, blurred spectrum.
        """
        return self.model.decode(torch.from_numpy(embeddings).to(self.device)).float().cpu().numpy()


def fold(model: ConvAutoencoder | PcaModel) -> ConvAutoencoder | PcaModel:
    """Return a copy in eval mode, with batch norms folded into the convolutions and a channels-last layout."""
    folded = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    for module in folded.modules():
        if isinstance(module, Stage):
            module.fold()
    for module in folded.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return folded
