"""Build an encoder of a user's own, and check the maps that it gives: what a model does before it takes one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioae.constants import N_FRAMES, N_MELS
from audioae.errors import ModelError
from audioae.model.blocks import PADDED_FRAMES, map_shape

N_CLIPS = 3


def build_encoder(network: Any, channels: Sequence[int], options: dict[str, Any], name: str) -> nn.Module:
    """Call the class of an encoder. Raises `ModelError` if it is no subclass of `nn.Module`, or cannot be built."""
    if not (isinstance(network, type) and issubclass(network, nn.Module)):
        raise ModelError(f"encoder {name}: got {network!r}, wanted a subclass of torch.nn.Module")
    try:
        return network(tuple(channels), **options)
    except Exception as error:
        given = "".join(f", {key}={value!r}" for key, value in options.items())
        raise ModelError(f"encoder {name}: {name}({tuple(channels)}{given}) fails: {error!r}") from error


@torch.no_grad()
def check_maps(encoder: nn.Module, channels: Sequence[int], name: str) -> None:
    """Check number, shapes, type and values of the maps of a few clips, in eval mode; `name` is for the message."""
    mels, was_training = example_mels(), encoder.training
    try:
        maps: Any = encoder.eval()(mels)
    except Exception as error:
        raise ModelError(f"encoder {name}: mels {tuple(mels.shape)} give {error!r}") from error
    finally:
        encoder.train(was_training)
    if not isinstance(maps, list | tuple) or not all(isinstance(each, Tensor) for each in maps):
        raise ModelError(f"encoder {name}: got a {type(maps).__name__}, wanted a list of tensors")
    wanted = [(N_CLIPS, *map_shape(channels, depth)) for depth in range(len(channels) + 1)]
    if (got := [tuple(each.shape) for each in maps]) != wanted:
        raise ModelError(f"encoder {name}: got maps of shapes {got}, wanted {wanted} for channels {tuple(channels)}")
    if not torch.equal(maps[0][:, 0], F.pad(mels, (0, PADDED_FRAMES - N_FRAMES))):
        raise ModelError(f"encoder {name}: map 0 is not the input, wanted it with zeros up to {PADDED_FRAMES} frames")
    for depth, each in enumerate(maps):
        if each.dtype != torch.float32:
            raise ModelError(f"encoder {name}: map {depth} is {each.dtype}, wanted torch.float32")
        if n := int((~each.isfinite()).sum()):
            raise ModelError(f"encoder {name}: {n} values of map {depth} are NaN or infinite")


def example_mels() -> Tensor:
    """Normalized mels of a few clips, (3, 128, 130): noise, always the same."""
    return torch.randn(N_CLIPS, N_MELS, N_FRAMES, generator=torch.Generator().manual_seed(0))
