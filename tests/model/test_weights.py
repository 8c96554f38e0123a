"""Models as bytes: round trips, and bytes that are refused."""

import json
from typing import Any

import pytest
import safetensors.torch
import torch

from audioae.errors import ModelError
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.config import ModelConfig
from audioae.model.weights import HEADER, model_from_bytes, model_to_bytes


def rewrite(content: bytes, **changes: Any) -> bytes:
    """Write the same tensors with a changed header."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][HEADER])
    return safetensors.torch.save(safetensors.torch.load(content), {HEADER: json.dumps({**header, **changes})})


def test_a_loaded_model_is_identical_to_the_saved_one(tiny: ModelConfig):
    model = build_model(tiny, seed=5)
    content = model_to_bytes(model)
    loaded = model_from_bytes(content)
    assert isinstance(loaded, ConvAutoencoder)
    assert loaded.config == tiny
    assert not loaded.training
    assert model_to_bytes(loaded) == content
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())


def test_the_memory_layout_does_not_change_the_bytes(tiny: ModelConfig):
    content = model_to_bytes(build_model(tiny))
    assert model_to_bytes(build_model(tiny).to(memory_format=torch.channels_last)) == content  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\xff" * 64])
def test_bytes_that_are_not_a_model_are_refused(content: bytes):
    with pytest.raises(ModelError, match=f"got {len(content)} bytes that are not an audioae model"):
        model_from_bytes(content)


def test_a_newer_format_is_refused(tiny: ModelConfig):
    with pytest.raises(ModelError, match="has format 2, wanted up to 1; install a newer audioae"):
        model_from_bytes(rewrite(model_to_bytes(build_model(tiny)), format=2))


def test_weights_that_do_not_match_the_config_are_refused(tiny: ModelConfig):
    other = tiny.model_copy(update={"channels": (2, 4, 4, 16)})
    with pytest.raises(ModelError, match="weights do not match their config"):
        model_from_bytes(rewrite(model_to_bytes(build_model(tiny)), config=other.model_dump(mode="json")))


def test_a_truncated_file_is_refused(tiny: ModelConfig):
    with pytest.raises(ModelError, match="weights do not match"):
        model_from_bytes(model_to_bytes(build_model(tiny))[:-100])
