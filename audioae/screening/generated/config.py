"""The settings of the check generated."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from audioae.config import Config


class MelInput(Config):
    """The mels that a vocoder expects: natural logarithms of magnitudes, 1e-5 at least, in bands of Slaney's scale.

    A waveform is padded by reflection with (n_fft - hop_length) / 2 samples, as HiFi-GAN and its successors do; the
    defaults are theirs. Frequencies in Hz.
    """

    sample_rate: int = Field(default=22_050, ge=8000, le=192_000)
    n_fft: int = Field(default=1024, ge=64, le=16_384)
    hop_length: int = Field(default=256, ge=16, le=4096)
    n_mels: int = Field(default=80, ge=8, le=512)
    f_min: float = Field(default=0.0, ge=0)
    f_max: float = Field(default=8000.0, gt=0)


class TorchscriptDecoder(Config):
    """A neural decoder in a TorchScript file: from waveform to waveform, or with `mel` from mels to waveform.

    `name` is what results call it; default: the name of the file. The contract is in `model.torchscript_decoder`.
    """

    kind: Literal["torchscript"] = "torchscript"
    path: str
    name: str = ""
    mel: MelInput | None = None


class WorldVocoder(Config):
    """The vocoder WORLD (pyworld, to be installed separately)."""

    kind: Literal["world"]


def _path_alone(value: Any) -> Any:
    """A path alone, or a mapping without `kind`, is a TorchScript file."""
    if isinstance(value, str):
        return {"kind": "torchscript", "path": value}
    return {"kind": "torchscript", **value} if isinstance(value, dict) and "kind" not in value else value


Decoder = Annotated[
    Annotated[TorchscriptDecoder | WorldVocoder, Field(discriminator="kind")], BeforeValidator(_path_alone)
]


class GeneratedConfig(Config):
    """How much of a track is measured, how many tracks are resynthesized, and how many real ones may be flagged.

    At most `max_sections` sections of 3 s are measured per track. Excerpts of `excerpt_s` (3 s from shorter tracks) are
    resynthesized until they add up to `sample_s`: 24 of 6 s, or 48 of 3 s. `false_positive_rate` is the share of real
    tracks that may be called generated. The detector learns to recognize the `decoders` as well: a list of
    {name, kind: torchscript, path, mel}, of paths of TorchScript files, or of {kind: world}.
    """

    max_sections: int = Field(default=6, ge=1, le=1000)
    sample_s: float = Field(default=144.0, gt=0, le=1e6)
    excerpt_s: float = Field(default=6.0, ge=3.0, le=60.0)
    false_positive_rate: float = Field(default=0.01, gt=0, lt=0.5)
    decoders: tuple[Decoder, ...] = ()
    seed: int = 0

    @property
    def files(self) -> tuple[TorchscriptDecoder, ...]:
        """The decoders that are files."""
        return tuple(decoder for decoder in self.decoders if isinstance(decoder, TorchscriptDecoder))

    @property
    def vocoders(self) -> tuple[str, ...]:
        """Names of vocoders beyond `vocoders.FAMILIES`."""
        return ("world",) if any(isinstance(decoder, WorldVocoder) for decoder in self.decoders) else ()
