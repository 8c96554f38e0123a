"""Config of a network of your own whose vectors join the embedding. Reading it loads no torch."""

from typing import Literal

from pydantic import Field, FilePath, model_validator

from audioae.audio.config import WindowConfig
from audioae.config import Config


class ExtraConfig(Config):
    """A pretrained network: its vectors are concatenated with the embedding and reduced to 128 numbers.

    kind, path : the format and the file. The store keeps a copy with each model, so that the file may go; the hash of
        its content, not its path, is part of the model's recipe.
    input : what the network takes. mel: log-mels, shape (n, 128, 130), float32 in dB, 0 at the clip's maximum and at
        least -80. It returns (n, d), float32, a row per clip that does not depend on the other clips.
        waveform: mono waveforms, shape (n, samples), float32 in [-1, 1]; it returns (n, d), or (n, t, d), which is
        averaged over t. It is called with n = 1.
    sample_rate : Hz of the waveforms, as the network was trained.
    seconds : of each waveform; 3 by default. Up to 3, they are cut from the clips of the embedding; longer ones are as
        many as have the clips' length together, and of tracks above `mels.decode.whole_up_to_s` they are read a second
        time.
    weight : size of its part of the variance, relative to the embedding's own part.
    """

    kind: Literal["onnx", "torchscript"]
    path: FilePath
    input: Literal["mel", "waveform"] = "mel"
    sample_rate: int | None = Field(default=None, ge=4_000, le=192_000)
    seconds: float | None = Field(default=None, ge=0.05, le=60)
    weight: float = Field(default=1.0, gt=0, le=100)

    @model_validator(mode="after")
    def _says_what_it_takes(self) -> "ExtraConfig":
        if self.input == "mel" and (self.sample_rate or self.seconds):
            raise ValueError("sample_rate and seconds are of waveforms; wanted input: waveform, or neither of them")
        if self.input == "waveform" and not self.sample_rate:
            raise ValueError(
                "input waveform needs sample_rate, the rate that the network was trained at, such as 16000"
            )
        return self

    @property
    def window(self) -> WindowConfig | None:
        """What a network of waveforms takes."""
        if self.sample_rate is None:
            return None
        return WindowConfig(sample_rate=self.sample_rate, **({"seconds": self.seconds} if self.seconds else {}))


class EmbeddingConfig(Config):
    """What an embedding consists of besides the model's own units. Another `extra` trains no new model."""

    extra: ExtraConfig | None = None
