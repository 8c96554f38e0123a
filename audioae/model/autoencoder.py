"""The autoencoder: encoder, head, bottleneck, decoder, put together from a config.

A variant is a YAML file of 5 to 12 lines in configs/model/. Nothing downstream knows the variant: `embed`, `decode` and
`reconstruct` are the same for all, the PCA baseline (`pca.py`) included.

Conventions
-----------
- Mels go in as uint8 codes or dB, shape (n, 128, 130), and come out as dB in [-80, 0].
- An embedding is float32 (n, 128), centered and scaled over the training clips (`embedding_norm`).
- Random draws come from the generator given, never from the global one.
"""

import torch
from torch import Tensor, nn

from audioae.constants import FLOOR_DB
from audioae.model.augment import augment_pairs
from audioae.model.blocks import Decoder, EmbeddingNorm, Encoder, MelNorm, mel_db
from audioae.model.bottleneck_nets import Latent
from audioae.model.config import ModelConfig
from audioae.model.pca import PcaModel
from audioae.model.terms import Outputs


class ConvAutoencoder(nn.Module):
    """Encoder, head, bottleneck, decoder (see the module)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.mel_norm = MelNorm()
        self.encoder = Encoder(config.channels)
        self.bottleneck = config.bottleneck.build()
        self.head = config.head.build(config.channels, self.bottleneck.head_dim)
        self.decoder = Decoder(config.channels)
        self.embedding_norm = EmbeddingNorm()
        self.input_gradient = any("input_gradient" in term.NEEDS for term in config.terms)

    def forward(
        self, mels: Tensor, tracks: Tensor, generator: torch.Generator | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Every term of one pass by its name, unweighted, and what the bottleneck reports of itself.

        In training the input is cropped, augmented and corrupted; the target is cropped with it and else clean.

        Parameters
        ----------
        mels : Tensor, shape (n, 128, 130), uint8 codes or dB
        tracks : Tensor, shape (n,), int64
        generator : torch.Generator
            Source of every random draw; required in training mode.
        """
        clean = mel_db(mels)
        db = clean
        if self.training:
            assert generator is not None
            if self.config.augment:
                clean, db = augment_pairs(clean, self.config.augment, generator)
            db = self.config.corruption.apply(db, generator) if self.config.corruption else db
        normalized = self.mel_norm(db)
        if self.input_gradient:
            normalized.requires_grad_()
        latent = self.encode(normalized, generator)
        outputs = Outputs(normalized, self.mel_norm(clean), self.decoder(latent.z), latent, tracks)
        with torch.autocast(mels.device.type, enabled=False):
            losses = {term.key: term.compute(outputs, generator) for term in self.config.terms}
        return losses, {name: value for name, value in latent.stats.items() if value.ndim == 0}

    def total(self, losses: dict[str, Tensor], step: int) -> Tensor:
        """The loss: the terms' sum, weighted as at optimizer step `step`; weight 0 only reports."""
        weighted = [term.weight_at(step) * losses[term.key] for term in self.config.terms if term.weight > 0]
        return torch.stack(weighted).sum()

    def encode(self, normalized: Tensor, generator: torch.Generator | None = None) -> Latent:
        """From normalized mels to the latent; head and bottleneck work in float32 whatever the rest does."""
        maps = self.encoder(normalized)
        with torch.autocast(normalized.device.type, enabled=False):
            return self.bottleneck(self.head(maps), generator)

    @property
    def codebook_size(self) -> int:
        return getattr(self.config.bottleneck, "codebook_size", 0)

    def embed(self, mels: Tensor) -> Tensor:
        """Embeddings (n, 128), centered and scaled; call in eval mode."""
        latent = self.encode(self.mel_norm(mel_db(mels)))
        return self.embedding_norm(latent.embedding)

    def decode(self, embeddings: Tensor) -> Tensor:
        """Mels in dB (n, 128, 130) from embeddings as `embed` returns them, pooled ones included."""
        z = self.embedding_norm.invert(embeddings)
        return self.mel_norm.invert(self.decoder(z)).clamp(FLOOR_DB, 0.0)

    def reconstruct(self, mels: Tensor) -> Tensor:
        """Mels in dB (n, 128, 130), through the bottleneck."""
        latent = self.encode(self.mel_norm(mel_db(mels)))
        return self.mel_norm.invert(self.decoder(latent.z)).clamp(FLOOR_DB, 0.0)

    def embed_and_score(self, mels: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (n, 128) and the mean squared reconstruction error per bin (n,), in normalized units."""
        normalized = self.mel_norm(mel_db(mels))
        latent = self.encode(normalized)
        error = (self.decoder(latent.z) - normalized).square().mean(dim=(1, 2))
        return self.embedding_norm(latent.embedding), error


def build_model(config: ModelConfig, seed: int = 0) -> "ConvAutoencoder | PcaModel":
    """A new model with weights drawn from `seed`; the global random state is as it was.

    >>> sum(p.numel() for p in build_model(ModelConfig(channels=(2, 4))).parameters()) > 0
    True
    """
    if config.kind == "pca":
        return PcaModel()
    with torch.random.fork_rng(devices=[]):
        model = ConvAutoencoder(config)
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
