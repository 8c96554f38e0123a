"""Reference models: principal components, an untrained encoder, deviations from the mean, and code usage."""

import warnings

import numpy as np
import pytest
import torch

from audioae.audio.mel import decode_mel
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.bottleneck_nets import VqBottleneck
from audioae.model.bottlenecks import LinearConfig, VqConfig
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.embedder import Embedder
from audioae.model.pca import PcaModel
from audioae.model.reference_models import UntrainedEncoder, code_counts, deviations, fit_pca
from audioae.model.terms import Mse


def with_codebooks(config: ModelConfig, codes: np.ndarray) -> ConvAutoencoder:
    """Build a model with codebooks initialized on `codes`, and with a fitted embedding norm."""
    model = build_model(config)
    assert isinstance(model, ConvAutoencoder)
    mels = torch.from_numpy(codes)
    model.mel_norm.fit(mels)
    with torch.no_grad():
        model.train()(mels, torch.zeros(len(codes), dtype=torch.int64), torch.Generator().manual_seed(0))
        model.eval().embedding_norm.fit(model.embed(mels))
    return model


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        (VqConfig(kind="vq", groups=4, codebook_size=16), (1, 4, 16)),
        (VqConfig(kind="vq", groups=4, codebook_size=16, shared=True), (1, 1, 16)),
        (VqConfig(kind="vq", groups=2, codebook_size=8, levels=3), (3, 2, 8)),
    ],
)
def test_code_counts_agree_with_the_codes_in_the_forward_pass(clips: ClipSet, config: VqConfig, shape: tuple[int, ...]):
    model = with_codebooks(ModelConfig(channels=(2, 4, 4, 8), bottleneck=config), clips.codes)
    embedder = Embedder(model, "cpu")
    outputs = []
    assert isinstance(model.bottleneck, VqBottleneck)
    model.bottleneck.quantizer.register_forward_hook(lambda module, args, out: outputs.append(out.codes))
    with torch.no_grad():
        model.reconstruct(torch.from_numpy(clips.codes))
    chosen = outputs[0].numpy().reshape(*shape[:2], -1)
    counts = code_counts(embedder.embed(clips.codes)[0], embedder)
    assert counts is not None
    assert counts.shape == shape
    assert (counts.sum(axis=2) == chosen.shape[2]).all()
    expected = np.stack([[np.bincount(book, minlength=shape[2]) for book in level] for level in chosen])
    assert np.abs(counts - expected).sum() <= 2  # scaling an embedding and back may flip a tie


def test_a_model_without_a_codebook_has_no_code_counts():
    config = ModelConfig(channels=(2, 4), bottleneck=LinearConfig(kind="linear"), terms=(Mse(kind="mse"),))
    embedder = Embedder(build_model(config), "cpu")
    assert code_counts(np.zeros((3, 128), np.float32), embedder) is None
    assert code_counts(np.zeros((3, 128), np.float32), Embedder(PcaModel(), "cpu")) is None


def test_deviations_agree_with_numpy(clips: ClipSet, tiny: ModelConfig):
    embedder = Embedder(with_codebooks(tiny, clips.codes), "cpu")
    db = decode_mel(clips.codes).astype(np.float64)
    std = embedder.model.mel_norm.std.numpy()
    expected = (((db - db.mean(axis=(0, 2))[:, None]) / std) ** 2).mean(axis=(1, 2))
    np.testing.assert_allclose(deviations(clips.codes, embedder), expected, rtol=1e-4)


def test_components_depend_only_on_the_given_rows_and_use_the_given_units(clips: ClipSet, tiny: ModelConfig):
    like = Embedder(with_codebooks(tiny, clips.codes), "cpu")
    rows = np.arange(0, 72, 2)
    first = fit_pca(clips.codes, rows, like=like)
    changed = clips.codes.copy()
    changed[1::2] = 0
    second = fit_pca(changed, rows, like=like)
    np.testing.assert_array_equal(first.embed(clips.codes)[0], second.embed(clips.codes)[0])
    assert torch.equal(first.model.mel_norm.std, like.model.mel_norm.std)
    without_like = fit_pca(clips.codes, rows)
    expected = decode_mel(clips.codes[rows]).std(axis=(0, 2))
    np.testing.assert_allclose(without_like.model.mel_norm.std[:, 0].numpy(), expected, rtol=1e-3)


def test_the_untrained_encoder_is_deterministic_and_does_not_depend_on_the_batch(clips: ClipSet):
    state = torch.random.get_rng_state()
    encoder = UntrainedEncoder(clips.codes)
    assert torch.equal(torch.random.get_rng_state(), state)
    together = encoder.describe(clips.codes)
    assert together.shape == (72, 4096)
    assert together.dtype == np.float32
    read_only = clips.codes.view()
    read_only.flags.writeable = False  # as a memory map is
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = UntrainedEncoder(read_only)
        np.testing.assert_array_equal(second.describe(read_only), together)
    alone = np.concatenate([second.describe(clips.codes[i : i + 1]) for i in range(0, 72, 7)])
    np.testing.assert_allclose(alone, together[::7], atol=1e-5)
    assert (together.std(axis=0) > 1e-4).mean() > 0.5
