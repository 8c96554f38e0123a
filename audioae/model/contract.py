"""Whether an encoder of your own keeps the contract of `encoders.py`.

In your tests:

    from audioae.model.contract import check_encoder

    def test_my_encoder():
        check_encoder(MyEncoder, channels=(16, 32, 64, 128))
"""

import copy
from collections.abc import Sequence
from typing import Any

import safetensors.torch
import torch
from torch import nn

from audioae.errors import ModelError
from audioae.model.encoder_maps import build_encoder, check_maps, example_mels


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
        If the encoder breaks the contract; the message says what it returned and what is wanted.
    """
    name = getattr(network, "__name__", repr(network))
    encoder = _build(network, channels, options, name)
    check_maps(encoder, channels, name)
    _check_same_weights(encoder, _build(network, channels, options, name), name)
    _check_same_maps(encoder, name)
    _check_file(encoder, name)
    _check_gradients(encoder, name)


def _build(network: type[nn.Module], channels: Sequence[int], options: dict[str, Any], name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_encoder(network, channels, options, name)


def _check_same_weights(encoder: nn.Module, again: nn.Module, name: str) -> None:
    other = again.state_dict()
    for key, value in encoder.state_dict().items():
        if key not in other or not torch.equal(value, other[key]):
            raise ModelError(f"encoder {name}: {key} differs when it is built again; draw from torch's generator only")


@torch.no_grad()
def _check_same_maps(encoder: nn.Module, name: str) -> None:
    mels = example_mels()
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
    mels = example_mels().requires_grad_()  # so that an encoder whose weights are all frozen has a gradient too
    torch.stack([each.float().square().mean() for each in encoder.train()(mels)]).sum().backward()
    for key, parameter in encoder.named_parameters():
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.isfinite().all()):
            what = "no gradient" if parameter.grad is None else "a gradient that is not finite"
            raise ModelError(f"encoder {name}: {key} gets {what}; remove it, or set requires_grad to False")
