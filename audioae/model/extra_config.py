"""Config of a network of your own whose vectors join the embedding. Reading it loads no torch."""

from typing import Literal

from pydantic import Field, FilePath

from audioae.config import Config


class ExtraConfig(Config):
    """A pretrained network: one vector per clip, which is concatenated with the embedding and reduced to 128 numbers.

    kind, path : the format and the file. The store keeps a copy with each model, so that the file may go; the hash of
        its content, not its path, is part of the model's recipe.
    input : what the network takes. mel: log-mels, shape (n, 128, 130), float32 in dB, 0 at the clip's maximum and at
        least -80. It returns (n, d), float32, a row per clip that does not depend on the other clips.
    weight : size of its part of the variance, relative to the embedding's own part.
    """

    kind: Literal["onnx", "torchscript"]
    path: FilePath
    input: Literal["mel"] = "mel"
    weight: float = Field(default=1.0, gt=0, le=100)


class EmbeddingConfig(Config):
    """What an embedding consists of besides the model's own units. Another `extra` trains no new model."""

    extra: ExtraConfig | None = None
