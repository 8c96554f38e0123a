"""Embeddings of clips and tracks do not depend on batch, order or the folded form of the model."""

import numpy as np
import pytest
import torch

from audioae.audio.mel import encode_mel, log_mel
from audioae.constants import CLIP_SAMPLES
from audioae.errors import ModelError
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.blocks import Stage, mel_db
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.embedder import Embedder, fold
from audioae.model.train_config import TrainConfig
from audioae.model.training import fit


@pytest.fixture(scope="module")
def model(tiny: ModelConfig, clips: ClipSet) -> ConvAutoencoder:
    config = TrainConfig(steps=10, batch_size=32, warmup=2, accelerator="cpu")
    trained = fit(tiny, config, clips).model
    assert isinstance(trained, ConvAutoencoder)
    return trained


def test_embeddings_do_not_depend_on_batch_or_order(model: ConvAutoencoder, clips: ClipSet):
    embedder = Embedder(model, "cpu")
    together, errors, levels = embedder.embed(clips.codes[:40])
    order = np.random.default_rng(0).permutation(40)
    shuffled, shuffled_errors, shuffled_levels = embedder.embed(clips.codes[:40][order])
    alone = np.concatenate([embedder.embed(clips.codes[i : i + 1])[0] for i in range(40)])
    for other in (alone, shuffled[np.argsort(order)]):
        cosine = (together * other).sum(1) / np.linalg.norm(together, axis=1) / np.linalg.norm(other, axis=1)
        assert cosine.min() >= 0.99999
    np.testing.assert_allclose(shuffled_errors[np.argsort(order)], errors, rtol=1e-4)
    np.testing.assert_allclose(shuffled_levels[np.argsort(order)], levels, atol=1e-4)


def test_levels_are_those_of_the_mean_power_of_mels(model: ConvAutoencoder):
    rng = np.random.default_rng(0)
    envelope = np.repeat([1.0, 0.01, 0.3], CLIP_SAMPLES // 3)
    waveforms = np.stack([rng.normal(0, 0.1, CLIP_SAMPLES), rng.normal(0, 0.1, CLIP_SAMPLES) * envelope])
    absolute_db = log_mel(waveforms.astype(np.float32))
    codes, peak_db = encode_mel(absolute_db)
    _, _, levels = Embedder(model, "cpu").embed(codes)
    np.testing.assert_allclose(levels + peak_db, 10 * np.log10((10 ** (absolute_db / 10)).mean(axis=(1, 2))), atol=0.02)
    difference = (levels + peak_db)[0] - (levels + peak_db)[1]
    assert difference == pytest.approx(10 * np.log10(3 / (1 + 0.01**2 + 0.3**2)), abs=0.3)
    silence = np.full((1, 128, 130), 255, np.uint8)  # what `encode_mel` makes of it
    assert Embedder(model, "cpu").embed(silence)[2] == pytest.approx([0], abs=1e-6)


def test_the_folded_model_agrees_with_the_original(model: ConvAutoencoder, clips: ClipSet):
    codes = clips.codes[:20]
    embeddings, errors, levels = Embedder(model, "cpu").embed(codes)
    with torch.no_grad():
        mels = torch.from_numpy(codes)
        np.testing.assert_allclose(embeddings, model.embed(mels).numpy(), atol=1e-4)
        normalized = model.mel_norm(mel_db(mels))
        reconstruction = model.decoder(model.encode(normalized).z)
    np.testing.assert_allclose(errors, (reconstruction - normalized).square().mean(dim=(1, 2)).numpy(), rtol=1e-3)
    assert embeddings.dtype == errors.dtype == levels.dtype == np.float32


def test_folding_does_not_change_the_original_model(model: ConvAutoencoder):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = fold(model)
    assert all(stage.norm is None for stage in folded.modules() if isinstance(stage, Stage))
    assert any(stage.norm is not None for stage in model.modules() if isinstance(stage, Stage))
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())


def test_no_clips_give_no_embeddings(model: ConvAutoencoder):
    embeddings, errors, levels = Embedder(model, "cpu").embed(np.zeros((0, 128, 130), np.uint8))
    assert embeddings.shape == (0, 128)
    assert errors.shape == levels.shape == (0,)


@pytest.mark.parametrize("codes", [np.zeros((128, 130), np.uint8), np.zeros((2, 128, 130), np.float32)])
def test_codes_of_a_wrong_shape_or_type_are_refused(codes: np.ndarray):
    embedder = Embedder(build_model(ModelConfig(channels=(2, 2))), "cpu")
    with pytest.raises(ModelError, match=r"wanted \(n, 128, 130\) uint8"):
        embedder.embed(codes)
