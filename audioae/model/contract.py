"""Whether an encoder of your own keeps the contract of `encoders.py`: for your tests.

from audioae.model.contract import check_encoder

def test_my_encoder():
    check_encoder(MyEncoder, channels=(16, 32, 64, 128))
"""

import copy
from collections.abc import Sequence
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioae.constants import N_FRAMES, N_MELS
from audioae.errors import ModelError
from audioae.model.blocks import PADDED_FRAMES, map_shape
from audioae.model.encoders import build_encoder

N_CLIPS = 3


def check_encoder(network: type[nn.Module], channels: Sequence[int] = (16, 32, 64, 128), **options: Any) -> None:
    """Build an encoder as a model does and check all that a model needs of it.

    Parameters
    ----------
    network : type
        The class that `encoder.path` names.
    channels : sequence of int
        As in the model's config.
    options
        As `encoder.options`.

    Raises
    ------
    ModelError
        With what was found and what is wanted, at the first promise that is broken.
    """
    name = getattr(network, "__name__", repr(network))
    encoder = _build(network, channels, options, name)
    check_maps(encoder, channels, name)
    _check_same_weights(encoder, _build(network, channels, options, name), name)
    _check_same_maps(encoder, name)
    _check_file(encoder, name)
    _check_gradients(encoder, name)


@torch.no_grad()
def check_maps(encoder: nn.Module, channels: Sequence[int], name: str) -> None:
    """Check number, shapes, type and values of the maps of a few clips, in eval mode; `name` is for the message."""
    mels, was_training = _mels(), encoder.training
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


def _build(network: type[nn.Module], channels: Sequence[int], options: dict[str, Any], name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_encoder(network, channels, options, name)


def _mels() -> Tensor:
    return torch.randn(N_CLIPS, N_MELS, N_FRAMES, generator=torch.Generator().manual_seed(0))


def _check_same_weights(encoder: nn.Module, again: nn.Module, name: str) -> None:
    other = again.state_dict()
    for key, value in encoder.state_dict().items():
        if key not in other or not torch.equal(value, other[key]):
            raise ModelError(f"encoder {name}: {key} differs when it is built again; draw from torch's generator only")


@torch.no_grad()
def _check_same_maps(encoder: nn.Module, name: str) -> None:
    mels = _mels()
    encoder.eval()
    first, second, alone = encoder(mels), encoder(mels), encoder(mels[:1])
    for depth, (one, other, single) in enumerate(zip(first, second, alone, strict=True)):
        if not torch.equal(one, other):
            raise ModelError(f"encoder {name}: in eval mode map {depth} differs when it is computed again")
        if not torch.allclose(one[:1], single, rtol=1e-3, atol=1e-4):
            far = float((one[:1] - single).abs().max())
            raise ModelError(f"encoder {name}: map {depth} of a clip is {far:.2g} off without the others of its batch")


def _check_file(encoder: nn.Module, name: str) -> None:
    tensors = {key: value.detach().contiguous() for key, value in encoder.state_dict().items()}
    try:
        loaded = safetensors.torch.load(safetensors.torch.save(tensors))
        copy.deepcopy(encoder).load_state_dict(loaded)
    except Exception as error:
        raise ModelError(f"encoder {name}: its weights cannot be saved and loaded: {error}") from error


def _check_gradients(encoder: nn.Module, name: str) -> None:
    mels = _mels().requires_grad_()  # so that an encoder whose weights are all frozen has a gradient too
    torch.stack([each.float().square().mean() for each in encoder.train()(mels)]).sum().backward()
    for key, parameter in encoder.named_parameters():
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.isfinite().all()):
            what = "no gradient" if parameter.grad is None else "a gradient that is not finite"
            raise ModelError(f"encoder {name}: {key} gets {what}; remove it, or set requires_grad to False")
