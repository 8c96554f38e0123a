"""Configs of encoders other than the built-in stages of convolutions, whose depth and width `channels` sets.

An encoder is built with the `channels` of the model, and keeps this contract (`contract.check_encoder` tests it):

- It takes normalized mels, shape (n, 128, 130), float32: per mel band zero mean and unit deviation over the catalog.
- It returns a list of `len(channels) + 1` maps. Map 0 is the input with zeros up to 144 frames, (n, 1, 128, 144). Map i
  has `channels[i - 1]` channels on a grid of 128 / 2^i bands and 144 / 2^i frames: with (16, 32, 64, 128), the last one
  is (n, 128, 8, 9). Heads pool over the maps; the decoder has the same grids in reverse.
- Maps are float32 (under autocast bfloat16 is fine) and finite. In eval mode the same clip gives the same maps,
  whatever else is in the batch. All trainable parameters take part.
- Parameters and buffers can be saved as safetensors: no tensor has two names.
- What it draws when it is built comes from torch's global generator, which is seeded then. With dropout, a run that was
  killed and resumes ends with other weights than an uninterrupted one.

Why only subclasses of `nn.Module` are called: a model names its encoder, and whoever loads a store that somebody else
made should run no other code than that of a network that is installed.
"""

import importlib
import importlib.util
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from audioae.config import Config
from audioae.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

_PATH = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")
INSTALL = "install its package here, or add its folder to PYTHONPATH"


class ImportedEncoder(Config):
    """An encoder of your own: a subclass of `nn.Module` in an importable module.

    path : `package.module:Name`. It is called as `Name(channels, **options)`.
    options : numbers, strings and lists for it; they are part of the model's settings.
    """

    kind: Literal["import"]
    path: str
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("path")
    @classmethod
    def _names_a_class(cls, path: str) -> str:
        if not (match := _PATH.fullmatch(path)):
            raise ValueError("wanted package.module:Name, such as mypackage.nets:MyEncoder")
        top = match[1].partition(".")[0]
        if importlib.util.find_spec(top) is None:
            raise ValueError(f"there is no module {top!r} here; {INSTALL}")
        return path

    def build(self, channels: Sequence[int]) -> "nn.Module":
        """Import the class, build the encoder, and check its maps.

        Raises
        ------
        ModelError
            If there is no such class, it is no network, cannot be built, or gives other maps than wanted.
        """
        from audioae.model.encoder_maps import build_encoder, check_maps

        encoder = build_encoder(self._load(), channels, self.options, self.path)
        check_maps(encoder, channels, self.path)
        return encoder

    def _load(self) -> Any:
        module, _, name = self.path.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except ImportError as error:
            raise ModelError(f"encoder {self.path}: {error}; {INSTALL}") from error
        except AttributeError:
            raise ModelError(f"encoder {self.path}: module {module} has no {name}") from None
