"""A model as bytes and back: safetensors, with the model's config in the header.

The format version is `FORMAT`. Every version ever written must load; a newer one is refused with a clear error. What
gives the same config other tensors (a changed block) is a new format.
"""

import json
from typing import Any

import safetensors.torch
from safetensors import SafetensorError

from audioae.config import parse_config
from audioae.errors import ModelError
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.config import ModelConfig
from audioae.model.pca import PcaModel

FORMAT = 1
HEADER = "audioae"  # one key of metadata: safetensors writes several in random order


def model_to_bytes(model: ConvAutoencoder | PcaModel) -> bytes:
    """Weights, buffers and config; the same model gives the same bytes."""
    config = model.config if isinstance(model, ConvAutoencoder) else ModelConfig(kind="pca")
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    return safetensors.torch.save(
        tensors, {HEADER: json.dumps({"format": FORMAT, "config": config.model_dump(mode="json")})}
    )


def model_from_bytes(content: bytes) -> ConvAutoencoder | PcaModel:
    """The model that `model_to_bytes` wrote, in eval mode on the CPU.

    Raises
    ------
    ModelError
        If the bytes are no model, are of a newer format, or weights and config do not fit together.
    """
    header = _header(content)
    if header["format"] > FORMAT:
        raise ModelError(f"model has format {header['format']}, wanted up to {FORMAT}; install a newer audioae")
    model = build_model(parse_config(ModelConfig, header["config"], where="the model's own config"))
    try:
        model.load_state_dict(safetensors.torch.load(content))
    except (RuntimeError, SafetensorError) as error:
        raise ModelError(f"model: weights do not fit their config: {str(error).splitlines()[-1].strip()}") from None
    return model.eval()


def _header(content: bytes) -> dict[str, Any]:
    """The metadata of safetensors bytes: 8 bytes of length, then JSON."""
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][HEADER])
        return {"format": int(header["format"]), "config": header["config"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{len(content)} bytes are no audioae model ({type(error).__name__}); train one again"
        ) from None
