"""The autoencoder: encoder, head, bottleneck and decoder, assembled from a config.

A variant is a YAML file of 5 to 12 lines in configs/model/. No caller depends on the variant: all variants, and the PCA
baseline (`pca.py`), have the same `embed`, `decode` and `reconstruct`.

Conventions
-----------
- Input mels are uint8 codes or dB, shape (n, 128, 130); output mels are dB in [-80, 0].
- Embeddings are float32 (n, 128), centered and scaled over the training clips (`embedding_norm`).
- Random draws come from the given generator, never from the global one.

Why convolutions: the textbook autoencoder of 784 pixels, three dense layers down to 32 units and three up again, has
476,720 parameters. With the 16,640 bins of a mel, its two outer layers alone would have 8.5 million; the whole default
model has 2.1 million.

>>> sizes = (784, 256, 128, 32, 128, 256, 784)
>>> dense = nn.Sequential(*(nn.Linear(n_in, n_out) for n_in, n_out in zip(sizes, sizes[1:])))
>>> sum(p.numel() for p in dense.parameters())
476720
>>> sum(p.numel() for p in [*nn.Linear(16_640, 256).parameters(), *nn.Linear(256, 16_640).parameters()])
8536576
"""

import torch
from torch import Tensor, nn

from audioae.constants import FLOOR_DB
from audioae.model.augment import augment_pairs
from audioae.model.blocks import Decoder, EmbeddingNorm, Encoder, MelNorm, mel_db
from audioae.model.bottleneck_nets import Latent
from audioae.model.config import ModelConfig
from audioae.model.grid_nets import GridOutput
from audioae.model.pca import PcaModel
from audioae.model.terms import Outputs


class ConvAutoencoder(nn.Module):
    """Encoder, head, bottleneck and decoder (see the module)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.mel_norm = MelNorm()
        self.encoder = config.encoder.build(config.channels) if config.encoder else Encoder(config.channels)
        self.bottleneck = config.bottleneck.build()
        self.head = config.head.build(config.channels, self.bottleneck.head_dim)
        self.decoder = Decoder(config.channels)
        self.embedding_norm = EmbeddingNorm(config.head.parts)
        self.grid = config.grid.build() if config.grid else None  # last: it changes no other part's first weights
        self.input_gradient = any("input_gradient" in term.NEEDS for term in config.terms)

    def forward(
        self, mels: Tensor, tracks: Tensor, generator: torch.Generator | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Compute the loss terms of one forward pass.

        In training mode the input is cropped, augmented and corrupted; the target is only cropped.

        Parameters
        ----------
        mels : Tensor, shape (n, 128, 130), uint8 codes or dB
        tracks : Tensor, shape (n,), int64
        generator : torch.Generator
            Source of every random draw; required in training mode.

        Returns
        -------
        losses : dict of str to Tensor
            The unweighted terms by name.
        stats : dict of str to Tensor
            Scalars of the bottleneck to log, such as the perplexity.
        """
        clean = mel_db(mels)
        db = clean
        if self.training:
            assert generator is not None
            if self.config.augment:
                clean, db = augment_pairs(clean, self.config.augment, generator)
        seen = db
        if self.training and self.config.corruption:
            assert generator is not None
            db = self.config.corruption.apply(db, generator)
        normalized = self.mel_norm(db)
        if self.input_gradient:
            normalized.requires_grad_()
        latent = self.encode(normalized, generator)
        coarse = self.decoder(latent.z)
        grid = self._train_grid(self.mel_norm(seen), coarse, latent.z) if self.grid else None
        learned = self.config.head.parts[0][0]
        outputs = Outputs(normalized, self.mel_norm(clean), coarse, latent, tracks, grid, learned)
        with torch.autocast(mels.device.type, enabled=False):
            losses = {term.key: term.compute(outputs, generator) for term in self.config.terms}
        stats = {**latent.stats, **(grid.stats if grid else {})}
        return losses, {name: value for name, value in stats.items() if value.ndim == 0}

    def total(self, losses: dict[str, Tensor], step: int) -> Tensor:
        """Sum the terms with their weights at optimizer step `step`; a term of weight 0 is only logged."""
        weighted = [term.weight_at(step) * losses[term.key] for term in self.config.terms if term.weight > 0]
        return torch.stack(weighted).sum()

    def independent_parameters(self) -> list[list[nn.Parameter]]:
        """The parameters of the embedding's path and, if there is one, of the grid; their gradients are independent."""
        grid = list(self.grid.parameters()) if self.grid else []
        in_grid = set(grid)
        return [[p for p in self.parameters() if p not in in_grid], *([grid] if grid else [])]

    def encode(self, normalized: Tensor, generator: torch.Generator | None = None) -> Latent:
        """Encode normalized mels; head and bottleneck always run in float32."""
        maps = self.encoder(normalized)
        with torch.autocast(normalized.device.type, enabled=False):
            return self.bottleneck(self.head(maps), generator)

    @property
    def codebook_size(self) -> int:
        return getattr(self.config.bottleneck, "codebook_size", 0)

    def embed(self, mels: Tensor) -> Tensor:
        """Compute embeddings (n, 128), centered and scaled; call it in eval mode."""
        latent = self.encode(self.mel_norm(mel_db(mels)))
        return self.embedding_norm(latent.embedding)

    def decode(self, embeddings: Tensor) -> Tensor:
        """Decode embeddings, as returned by `embed` or pooled from them, to mels in dB (n, 128, 130)."""
        return self.decode_latents(self.embedding_norm.invert(embeddings))

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Decode what the decoder takes, (n, 128), to mels in dB (n, 128, 130)."""
        return self.mel_norm.invert(self.decoder(latents)).clamp(FLOOR_DB, 0.0)

    def reconstruct(self, mels: Tensor) -> Tensor:
        """Encode and decode mels, through the bottleneck; returns dB (n, 128, 130)."""
        normalized = self.mel_norm(mel_db(mels))
        rebuilt = self._rebuild(normalized, self.encode(normalized))
        return self.mel_norm.invert(rebuilt).clamp(FLOOR_DB, 0.0)

    def embed_and_score(self, mels: Tensor) -> tuple[Tensor, Tensor]:
        """Compute embeddings (n, 128) and mean squared reconstruction errors per bin (n,), in normalized units."""
        normalized = self.mel_norm(mel_db(mels))
        latent = self.encode(normalized)
        error = (self._rebuild(normalized, latent) - normalized).square().mean(dim=(1, 2))
        return self.embedding_norm(latent.embedding), error

    def _rebuild(self, normalized: Tensor, latent: Latent) -> Tensor:
        """Rebuild normalized mels from the latent, and from the grid of codes if there is one."""
        coarse = self.decoder(latent.z)
        return self.grid(normalized, coarse, latent.z).reconstruction if self.grid else coarse

    def _train_grid(self, *tensors: Tensor) -> GridOutput:
        """Run the grid on the first clip of each pair; no gradient reaches the rest of the model."""
        assert self.grid is not None
        return self.grid(*(tensor[: (len(tensor) + 1) // 2].detach() for tensor in tensors))


def build_model(config: ModelConfig, seed: int = 0) -> "ConvAutoencoder | PcaModel":
    """Build a model with weights drawn from `seed`; the global random state is left unchanged.

    >>> sum(p.numel() for p in build_model(ModelConfig(channels=(2, 4))).parameters()) > 0
    True
    """
    if config.kind == "pca":
        return PcaModel()
    with torch.random.fork_rng(devices=[]):
        if config.encoder:
            torch.manual_seed(seed)
        model = ConvAutoencoder(config)
    own = set(model.encoder.modules()) if config.encoder else set()  # it may have loaded trained weights
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if module not in own and isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
