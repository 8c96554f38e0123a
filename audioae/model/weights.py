"""Models as bytes: safetensors, with the model's config in the header.

The format version is `FORMAT`. Every version ever written must load; a newer one is refused with a clear error. A
change that gives the same config other tensors (a changed block) needs a new format version.
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
HEADER = "audioae"  # a single key, because safetensors writes several in random order


def model_to_bytes(model: ConvAutoencoder | PcaModel) -> bytes:
    """Serialize weights, buffers and config; the same model gives the same bytes."""
    config = model.config if isinstance(model, ConvAutoencoder) else ModelConfig(kind="pca")
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    return safetensors.torch.save(
        tensors, {HEADER: json.dumps({"format": FORMAT, "config": config.model_dump(mode="json")})}
    )


def model_from_bytes(content: bytes) -> ConvAutoencoder | PcaModel:
    """Load a model that `model_to_bytes` wrote, in eval mode on the CPU.

    Raises
    ------
    ModelError
        If the bytes are not a model or have a newer format, or if weights and config do not match.
    """
    header = _header(content)
    if header["format"] > FORMAT:
        raise ModelError(f"model has format {header['format']}, wanted up to {FORMAT}; install a newer audioae")
    model = build_model(parse_config(ModelConfig, header["config"], where="config of the model"))
    try:
        model.load_state_dict(safetensors.torch.load(content))
    except (RuntimeError, SafetensorError) as error:
        raise ModelError(f"model: weights do not match their config: {str(error).splitlines()[-1].strip()}") from None
    return model.eval()


def _header(content: bytes) -> dict[str, Any]:
    """Read the metadata of safetensors bytes: 8 bytes of length, then JSON."""
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][HEADER])
        return {"format": int(header["format"]), "config": header["config"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"model: got {len(content)} bytes that are not an audioae model ({type(error).__name__}); train again"
        ) from None
