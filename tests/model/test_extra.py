"""A user's network beside the model: its vectors, the projection, and errors that say what is wrong with the file."""

import io

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audioae.errors import ModelError
from audioae.model.autoencoder import build_model
from audioae.model.config import ModelConfig
from audioae.model.embedder import Embedder
from audioae.model.extra import Extra, ExtraNetwork, Fusion
from audioae.model.latent_space import decode_latents
from audioae.model.pca import PcaModel
from tests.model.made_networks import Bands, onnx_bands, torchscript

CODES = np.random.default_rng(0).integers(0, 256, (20, 128, 130), dtype=np.uint8)
CODES[::2, 64:] //= 4


class Changed(nn.Module):
    def __init__(self, how: int):
        super().__init__()
        self.how = how

    def forward(self, mels: Tensor) -> Tensor:
        if self.how == 0:
            return mels
        if self.how == 1:
            return mels.mean(dim=2) / 0
        if self.how == 2:
            return mels[:3].mean(dim=2)
        return mels.reshape(7, 7)


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_vectors_are_those_of_the_network_and_do_not_depend_on_the_batch(kind):
    network = ExtraNetwork(kind, onnx_bands() if kind == "onnx" else torchscript(Bands()), "bands")
    vectors = network.vectors(CODES)
    wanted = (CODES.astype(np.float32) * (80 / 255) - 80).reshape(20, 16, 8, 130).mean(axis=(2, 3))
    np.testing.assert_allclose(vectors, wanted, atol=1e-3)
    np.testing.assert_array_equal(network.vectors(CODES[17:]), vectors[17:])
    assert network.vectors(CODES[:0]).shape[0] == 0


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        (0, r"got \(16, 128, 130\) for 16 clips, wanted \(16, d\) with d up to 16,384"),
        (1, "2560 numbers of 20 clips|2048 numbers of 16 clips are NaN or infinite"),
        (2, r"got \(3, 128\) for 16 clips"),
        (3, r"mels \(16, 128, 130\) float32 give an error: .*invalid for input of size"),
    ],
)
def test_wrong_vectors_are_errors(how: int, problem: str):
    with pytest.raises(ModelError, match=f"extra bands: (?:{problem})"):
        ExtraNetwork("torchscript", torchscript(Changed(how)), "bands").vectors(CODES)


@pytest.mark.parametrize(
    ("kind", "problem"), [("onnx", "not an ONNX model"), ("torchscript", "not a TorchScript module")]
)
def test_a_file_that_is_no_network_is_an_error(kind, problem: str):
    with pytest.raises(ModelError, match=f"extra x: {problem}"):
        ExtraNetwork(kind, b"nothing", "x")


def test_the_projection_keeps_cosines_of_both_parts():
    """20 clips have at most 19 directions, so nothing is lost: products are those of the concatenation."""
    rng = np.random.default_rng(0)
    own, vectors = rng.normal(size=(20, 128)).astype(np.float32), 50 + 9 * rng.normal(size=(20, 300)).astype(np.float32)
    own -= own.mean(axis=0)
    fusion = Fusion.fit(own, vectors, weight=2.0)
    fused = own @ fusion.own.numpy() + (vectors - fusion.mean.numpy()) @ fusion.extra.numpy()
    centered = vectors - vectors.mean(axis=0)
    scaled = 2 * np.sqrt(np.square(own).sum() / np.square(centered).sum()) * centered
    np.testing.assert_allclose(fused @ fused.T, own @ own.T + scaled @ scaled.T, atol=0.02)
    again = Fusion.from_bytes(fusion.to_bytes())
    assert all(torch.equal(getattr(again, name), getattr(fusion, name)) for name in ("own", "extra", "mean"))
    with pytest.raises(ModelError, match="all 20 clips have the same vector; does the network read its input"):
        Fusion.fit(own, np.ones((20, 4), np.float32), 1.0)
    with pytest.raises(ModelError, match="3 bytes that are no projection"):
        Fusion.from_bytes(b"abc")


@pytest.mark.parametrize("variant", ["autoencoder", "pca"])
def test_an_embedder_adds_the_network_and_still_decodes(variant: str):
    if variant == "pca":
        model = PcaModel().eval()
        model.fit(CODES, np.arange(20))
    else:
        model = build_model(ModelConfig(channels=(4, 8))).eval()
    network = ExtraNetwork("torchscript", torchscript(Bands()), "bands")
    plain = Embedder(model, "cpu", threads=1)
    own, errors, _ = plain.embed(CODES)
    fusion = Fusion.fit(own - own.mean(axis=0), network.vectors(CODES), 1.0)
    extra = Extra(network, fusion)
    fused = Embedder(model, "cpu", threads=1, extra=extra)
    embeddings, same_errors, _ = fused.embed(CODES)
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)  # the projection mixes the parts: none has its own
    np.testing.assert_allclose(fused.pool_each(embeddings), embeddings / lengths, atol=1e-6)
    if variant == "autoencoder":  # the error of PCA is that of what its embedding keeps
        np.testing.assert_array_equal(errors, same_errors)
    np.testing.assert_allclose(embeddings, own @ fusion.own.numpy() + extra.part(CODES), atol=1e-3)
    np.testing.assert_array_equal(fused.embed(CODES[3:4])[0], embeddings[3:4])
    latents = np.random.default_rng(1).standard_normal((2, 128)).astype(np.float32)
    np.testing.assert_array_equal(decode_latents(fused, latents), decode_latents(plain, latents))
    assert np.corrcoef(fused.decode(embeddings).ravel(), plain.decode(own).ravel())[0, 1] > 0.9
    np.testing.assert_array_equal(plain.embed(CODES)[0], own)
    other = ExtraNetwork("torchscript", torchscript(Bands(8)), "others")
    with pytest.raises(ModelError, match="extra others: got 8 numbers per clip, wanted 16"):
        Embedder(model, "cpu", extra=Extra(other, fusion)).embed(CODES)


def test_saved_modules_are_read_from_bytes():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Bands()), buffer)
    assert ExtraNetwork("torchscript", buffer.getvalue(), "x").vectors(CODES[:1]).shape == (1, 16)
