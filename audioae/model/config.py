"""The configuration of a model: one variant is a YAML file of 5 to 12 lines in configs/model/.

Reading it loads no torch: a wrong key is reported at once.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from audioae.config import Config
from audioae.constants import N_FRAMES, N_MELS
from audioae.model.bottlenecks import BottleneckConfig, VqConfig
from audioae.model.corruption import CorruptionConfig
from audioae.model.encoders import ImportedEncoder
from audioae.model.grid import GridConfig
from audioae.model.heads import FusedHeadConfig, HeadConfig
from audioae.model.terms import Commitment, InfoNce, Mse, TermConfig


class AugmentConfig(Config):
    """Strength of each augmentation step; 0 turns a step off. `*_share` is the share of clips that a step changes.

    `crop_frames` is the shortest length of a crop. `light_share` is the share of single-clip pairs that are augmented
    lightly; a track with a single clip gives a pair of two identical clips.
    """

    crop_share: float = Field(default=1.0, ge=0, le=1)
    crop_frames: int = Field(default=43, ge=1, le=N_FRAMES)
    light_share: float = Field(default=0.5, ge=0, le=1)
    roll_mels: int = Field(default=6, ge=0, lt=N_MELS)
    eq_db: float = Field(default=3.0, ge=0)
    background_share: float = Field(default=0.5, ge=0, le=1)
    background_db: tuple[float, float] = (-20.0, -8.0)
    noise_share: float = Field(default=0.25, ge=0, le=1)
    noise_db: tuple[float, float] = (-55.0, -25.0)
    mask_mels: int = Field(default=16, ge=0, le=N_MELS)
    mask_frames: int = Field(default=20, ge=0, le=N_FRAMES)


class ModelConfig(Config):
    """One model variant. `kind: pca` is the baseline and takes no other key.

    `encoder` is one of your own (`encoders.py`); by default there are stages of convolutions, one per `channels`.
    Keys in `ADDED` are newer than models that exist: at their default they are left out wherever a config is written.
    """

    ADDED: ClassVar[dict[str, Any]] = {"grid": None, "encoder": None}

    kind: Literal["autoencoder", "pca"] = "autoencoder"
    channels: tuple[int, ...] = Field(default=(16, 32, 64, 128), max_length=4)
    head: HeadConfig = FusedHeadConfig(
        kind="fused",
        weight=0.85,
        bands=112,
        exponent=0.1,
        balanced=True,
        clip_weight="loudness",
        single_weight=1.0,
        tempo=6,
    )
    bottleneck: BottleneckConfig = VqConfig(kind="vq")
    terms: tuple[TermConfig, ...] = (
        Mse(kind="mse"),
        Commitment(kind="commitment", weight=0.25),
        InfoNce(kind="info_nce", temperature=0.25),
    )
    corruption: CorruptionConfig | None = None
    augment: AugmentConfig | None = AugmentConfig()
    grid: GridConfig | None = None
    encoder: ImportedEncoder | None = None

    @model_serializer(mode="wrap")
    def _without_new_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = dump(self).items()
        return {name: value for name, value in values if name not in self.ADDED or value != self.ADDED[name]}

    @model_validator(mode="before")
    @classmethod
    def _default_head(cls, content: Any) -> Any:
        """Units of a Gaussian have a variance to learn, which fixed units have not: its default head is `stats`."""
        if isinstance(content, dict) and "head" not in content:
            bottleneck = content.get("bottleneck")
            kind = bottleneck.get("kind") if isinstance(bottleneck, dict) else getattr(bottleneck, "kind", None)
            if kind == "gaussian":
                return {**content, "head": {"kind": "stats", "modulation": 16}}
        return content

    @model_validator(mode="after")
    def _fits(self):
        if self.kind == "pca":
            fields = type(self).model_fields
            surplus = [key for key in fields if key != "kind" and getattr(self, key) != fields[key].default]
            if surplus:
                raise ValueError(f"kind pca takes no other key, got {', '.join(surplus)}")
            return self
        if self.head.kind == "fused" and self.bottleneck.kind == "gaussian":
            raise ValueError(
                "head fused has fixed units, which have no variance to learn, so it does not fit bottleneck gaussian; "
                "use head stats or flat"
            )
        provided = self.bottleneck.provides | {"input_gradient"} | ({"pairs"} if self.augment else set())
        provided |= {"grid"} if self.grid else set()
        for term in self.terms:
            missing = sorted(term.NEEDS - provided)
            if missing:
                raise ValueError(
                    f"term {term.key!r} needs {', '.join(missing)}, which bottleneck {self.bottleneck.kind!r} "
                    f"{'with' if self.augment else 'without'} augment does not provide (it provides "
                    f"{', '.join(sorted(provided))}); remove the term, or change bottleneck or augment"
                )
        if self.grid and not any(term.kind == "grid" and term.weight > 0 for term in self.terms):
            raise ValueError("grid is set, but nothing trains it; add the term {kind: grid}, or remove grid")
        keys = [term.key for term in self.terms]
        if len(set(keys)) < len(keys):
            raise ValueError(f"got duplicate term names in {keys}; set `name` on one of the duplicates")
        if not any(term.weight > 0 for term in self.terms):
            raise ValueError("every term has weight 0, so there is nothing to train; give a term a weight above 0")
        return self
