"""Configs of the heads, which turn the encoder's maps into one vector per clip.

`flat` is a linear layer on the whole deepest map. `stats` pools over time first: mean and deviation per band of a
middle map and of the deepest map, and mean, deviation and mean absolute difference of the input mel. Batch norm and a
linear layer follow.

Why `stats` is better than `flat`: pooled statistics do not depend on when in the clip something happens. A linear layer
on the map does, and its retrieval is worse.

`fused`, the default, divides the 128 units: some are learned from the same pooled statistics through one hidden layer,
the others are a fixed projection of spectral descriptors (`descriptors.py`), but for a few that say the tempo
(`tempogram.py`). docs/embeddings.md shows what each part gains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from audioae.config import Config
from audioae.constants import EMBEDDING_DIM, N_MELS

if TYPE_CHECKING:
    from torch import nn


Parts = tuple[tuple[int, float], ...]
"""Units and weight of each part of an embedding, in order."""

WHOLE: Parts = ((EMBEDDING_DIM, 1.0),)
"""The embedding in one part."""

ClipWeight = Literal["equal", "loudness"]


def _bands_divide(head: Any) -> Any:
    if head.modulation and N_MELS % head.modulation:
        raise ValueError(f"modulation must divide {N_MELS}, got {head.modulation}")
    return head


class WholeHeadConfig(Config):
    """What heads have in common whose embedding is in one part: all clips count the same, whatever the track."""

    parts: ClassVar[Parts] = WHOLE
    clip_weight: ClassVar[ClipWeight] = "equal"

    def track_parts(self, n_clips: int) -> Parts:
        """No part has a length of its own."""
        return ()


class FlatHeadConfig(WholeHeadConfig):
    """A linear layer on the flattened deepest map."""

    kind: Literal["flat"]

    def build(self, channels: Sequence[int], out_dim: int) -> nn.Module:
        from audioae.model.head_nets import FlatHead

        return FlatHead(channels, out_dim)


class StatsHeadConfig(WholeHeadConfig):
    """Statistics pooled over time, and the modulation spectrum of `modulation` coarse bands (0: no such spectrum)."""

    kind: Literal["stats"]
    modulation: int = Field(default=0, ge=0, le=N_MELS)

    _bands_divide = model_validator(mode="after")(_bands_divide)

    def build(self, channels: Sequence[int], out_dim: int) -> nn.Module:
        from audioae.model.head_nets import StatsHead

        return StatsHead(channels, out_dim, self.modulation)


class FusedHeadConfig(Config):
    """`learned` units of pooled statistics behind `hidden` units, and the rest of the 128 from spectral descriptors.

    `modulation` is that of the head `stats`. `weight` is the size of the descriptors' part in an embedding, relative to
    the learned part: of all clips on average and, if the head is `balanced`, of each track (`pooling.py`). The
    descriptors are of the lowest `bands` of the mel: what a lossy encoder or a low sample rate cuts off then hardly
    changes them. Its power is compressed with `exponent` (0: dB): noise then changes them less. `clip_weight` is what a
    clip counts in its track's embedding: all the same, or in proportion to its loudness. `single_weight` replaces
    `weight` in a balanced track of one clip (None: it does not): what is learned is what clips of a track have in
    common, so it knows less of such tracks. The last `tempo` units of the descriptors' part say the tempo instead.
    Keys in `ADDED` are newer than models that exist: at the value that those have they are left out wherever a config
    is written.
    """

    ADDED: ClassVar[dict[str, Any]] = {
        "bands": N_MELS,
        "exponent": 0.0,
        "balanced": False,
        "clip_weight": "equal",
        "single_weight": None,
        "tempo": 0,
    }

    kind: Literal["fused"]
    learned: int = Field(default=64, ge=1, lt=EMBEDDING_DIM)
    hidden: int = Field(default=512, ge=1)
    modulation: int = Field(default=16, ge=0, le=N_MELS)
    weight: float = Field(default=1.0, gt=0)
    bands: int = Field(default=N_MELS, ge=104, le=N_MELS, multiple_of=8)  # what `Descriptors` can divide
    exponent: float = Field(default=0.0, ge=0, le=1)
    balanced: bool = False
    clip_weight: ClipWeight = "equal"
    single_weight: float | None = Field(default=None, gt=0)
    tempo: int = Field(default=0, ge=0, le=32)  # half of the tempos that are scored

    _bands_divide = model_validator(mode="after")(_bands_divide)

    @model_validator(mode="after")
    def _leaves_descriptors(self):
        if self.learned + self.tempo >= EMBEDDING_DIM:
            raise ValueError(f"learned + tempo must be below {EMBEDDING_DIM}, got {self.learned} + {self.tempo}")
        return self

    def build(self, channels: Sequence[int], out_dim: int) -> nn.Module:
        from audioae.model.head_nets import FusedHead

        return FusedHead(
            channels,
            out_dim,
            self.learned,
            self.hidden,
            self.modulation,
            bands=self.bands,
            exponent=self.exponent,
            tempo=self.tempo,
        )

    @model_serializer(mode="wrap")
    def _without_old_values(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = dump(self).items()
        return {name: value for name, value in values if name not in self.ADDED or value != self.ADDED[name]}

    @property
    def parts(self) -> Parts:
        """Units and weight of each part of the embedding, in order."""
        return (self.learned, 1.0), (EMBEDDING_DIM - self.learned, self.weight)

    def track_parts(self, n_clips: int) -> Parts:
        """The parts that have a length of their own in a track of `n_clips`; empty if the head is not balanced."""
        learned, (n, weight) = self.parts
        single = self.single_weight if n_clips == 1 else None
        return (learned, (n, single or weight)) if self.balanced else ()


HeadConfig = Annotated[FlatHeadConfig | StatsHeadConfig | FusedHeadConfig, Field(discriminator="kind")]
