"""The grid of codes: what it costs in bits, what it quantizes, and that the embedding never depends on it."""

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from audioae.audio.mel import decode_mel
from audioae.config import load_config
from audioae.config_files import find_config
from audioae.errors import ModelError
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.embedder import Embedder
from audioae.model.grid import GridConfig
from audioae.model.grid_space import assign_grid_codes, decode_grid, decode_grid_code, grid_usage
from audioae.model.train_config import TrainConfig
from audioae.model.training import TrainResult, fit
from audioae.model.vq import Quantizer
from audioae.model.weights import model_from_bytes, model_to_bytes

SMALL: dict[str, Any] = {"dim": 4, "codebook_size": 16, "width": 8}
TRAIN = TrainConfig(steps=30, batch_size=16, learning_rate=5e-3, warmup=2, log_every=1, accelerator="cpu", threads=1)


def with_grid(config: ModelConfig, **grid: Any) -> ModelConfig:
    content = config.model_dump(mode="json")
    terms = [*content["terms"], {"kind": "grid"}]
    return ModelConfig.model_validate({**content, "terms": terms, "grid": {**SMALL, **grid}})


@pytest.fixture(scope="module")
def results(clips: ClipSet) -> tuple[TrainResult, TrainResult]:
    """The same training without and with a grid."""
    tiny = ModelConfig(channels=(2, 4, 4, 8))
    return fit(tiny, TRAIN, clips), fit(with_grid(tiny), TRAIN, clips)


def test_a_config_without_a_grid_is_written_as_before():
    assert "grid" not in ModelConfig().model_dump(mode="json")
    assert ModelConfig.model_validate_json(with_grid(ModelConfig()).model_dump_json()) == with_grid(ModelConfig())


def test_the_bits_of_the_default_grid_are_fewer_than_those_of_128_floats():
    assert GridConfig().shape == (16, 18)
    assert GridConfig().n_codes == 16 * 18 * 2
    assert GridConfig().n_bits == 16 * 18 * 2 * 7 < 128 * 32


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"grid": {"bands": 7}, "terms": [{"kind": "grid"}]}, "bands must divide 128, got 7"),
        ({"grid": {"frames": 7}, "terms": [{"kind": "grid"}]}, "frames must divide 144, got 7"),
        ({"grid": {"groups": 3}, "terms": [{"kind": "grid"}]}, "groups must divide 8, got 3"),
        ({"grid": {}}, r"nothing trains it; add the term \{kind: grid\}"),
        ({"terms": [{"kind": "mse"}, {"kind": "grid"}]}, "term 'grid' needs grid"),
    ],
)
def test_wrong_grids_are_refused(content: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate(content)


def test_the_embedding_is_bit_identical_with_and_without_a_grid(results: tuple[TrainResult, TrainResult]):
    plain, gridded = (result.model.state_dict() for result in results)
    assert {name for name in gridded if name not in plain} == {name for name in gridded if name.startswith("grid.")}
    for name, value in plain.items():
        assert torch.equal(value, gridded[name]), name


def test_decoding_an_embedding_needs_no_grid(results: tuple[TrainResult, TrainResult], clips: ClipSet):
    plain, gridded = (Embedder(result.model, "cpu") for result in results)
    embeddings = plain.embed(clips.codes[:5])[0]
    assert np.array_equal(plain.decode(embeddings), gridded.decode(embeddings))


def test_codes_lower_the_error_that_the_latent_leaves(results: tuple[TrainResult, TrainResult], clips: ClipSet):
    plain, gridded = (Embedder(result.model, "cpu") for result in results)
    before, after = (embedder.embed(clips.codes)[1] for embedder in (plain, gridded))
    assert after.mean() < 0.95 * before.mean()
    mels = clips.codes[:4].astype(np.float32) * (80 / 255) - 80
    std = gridded.model.mel_norm.std.numpy()
    seen = (((gridded.reconstruct(clips.codes[:4]) - mels) / std) ** 2).mean(axis=(1, 2))
    assert seen == pytest.approx(after[:4], rel=0.05)  # decibels are clipped at 0 and -80


def test_a_grid_is_saved_and_its_progress_is_logged(results: tuple[TrainResult, TrainResult], clips: ClipSet):
    model = results[1].model
    loaded = model_from_bytes(model_to_bytes(model))
    mels = torch.from_numpy(clips.codes[:3])
    with torch.no_grad():
        assert torch.equal(loaded.reconstruct(mels), model.reconstruct(mels))
    rows = [row for row in results[1].metrics if row["split"] == "train"]
    assert {"grid", "grid_perplexity", "grid_dead_codes"} <= set(rows[0])
    assert rows[-1]["grid"] < rows[0]["grid"]


def test_the_grid_quantizes_patches_of_what_the_latent_leaves():
    """With a perfect latent nothing is left: every patch is the same, whatever the mel."""
    grid: Any = build_model(with_grid(ModelConfig(channels=(2, 4)), bands=16, frames=12)).eval().grid
    grid.quantizer.codebooks.normal_(generator=torch.Generator().manual_seed(1))
    mels = torch.randn(3, 128, 130, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        codes = grid.quantize(mels - mels).codes.view(2, 3, 8, 12)
        assert all(len(torch.unique(codes[group, :, 1:-1, 1:-1])) == 1 for group in (0, 1))
        changed = torch.zeros(1, 128, 130)
        changed[0, 64:80, 60:72] = 50.0  # one patch
        near = (grid.quantize(changed).codes.view(2, 8, 12) != codes[:, 0]).any(dim=0).nonzero()
    assert near.numel()
    assert (near - torch.tensor([4, 5])).abs().max() <= 1


def test_no_gradient_of_the_grid_reaches_the_embedding(clips: ClipSet):
    model = build_model(with_grid(ModelConfig(channels=(2, 4, 4, 8))))
    assert isinstance(model, ConvAutoencoder)
    mels, tracks = torch.from_numpy(clips.codes[:8]), torch.from_numpy(clips.track[:8])
    losses, _ = model.train()(mels, tracks, torch.Generator().manual_seed(0))
    losses["grid"].backward()
    embedding, grid = model.independent_parameters()
    assert all(parameter.grad is None for parameter in embedding)
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in grid)


def test_codebooks_learn_from_a_sample_that_moves_on():
    torch.manual_seed(0)
    vectors = torch.arange(40.0).view(20, 2)
    vq = Quantizer(2, 1, 4, 1, False, 0.9, learn_from=5)
    first = vq._sample(vectors[None])[0, :, 0]
    vq.updates.add_(1)
    second = vq._sample(vectors[None])[0, :, 0]
    assert first.tolist() == [0, 8, 16, 24, 32]
    assert second.tolist() == [2, 10, 18, 26, 34]
    assert vq._sample(vectors[None, :5]).shape == (1, 5, 2)
    assert vq.train()(vectors).codes.shape == (1, 1, 20)


@pytest.mark.parametrize("levels", [1, 2])
def test_embedding_and_codes_are_enough_to_rebuild_a_clip(levels: int, clips: ClipSet):
    model: Any = build_model(with_grid(ModelConfig(channels=(2, 4, 4, 8)), levels=levels))
    generator = torch.Generator().manual_seed(0)
    for quantizer in (model.grid.quantizer, model.bottleneck.quantizer):
        quantizer.codebooks.copy_(torch.randn(quantizer.codebooks.shape, generator=generator))
    embedder = Embedder(model, "cpu")
    codes = assign_grid_codes(embedder, clips.codes[:5])
    assert (codes.shape, codes.dtype) == ((5, 2 * levels, 16, 18), np.uint16)
    rebuilt = decode_grid(embedder, embedder.embed(clips.codes[:5])[0], codes)
    assert np.abs(decode_mel(rebuilt) - embedder.reconstruct(clips.codes[:5])).max() <= 0.6 * 80 / 255
    other = decode_grid(embedder, embedder.embed(clips.codes[:5])[0], codes[::-1])
    assert not np.array_equal(other[0], rebuilt[0])


def test_a_code_of_the_grid_differs_from_the_mean(results: tuple[TrainResult, TrainResult]):
    embedder = Embedder(results[1].model, "cpu")
    shares = grid_usage(embedder)
    assert shares.shape == (2, 16)
    assert shares.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    first, second = (decode_grid_code(embedder, 1, code) for code in np.argsort(-shares[1])[:2])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], first[1])
    with pytest.raises(ModelError, match="got book 2, code 0, but the grid has 2 books of 16"):
        decode_grid_code(embedder, 2, 0)
    with pytest.raises(ModelError, match=r"no grid of codes; train one that has \(model: vqvae_grid\)"):
        grid_usage(Embedder(results[0].model, "cpu"))


def test_the_variant_is_the_default_with_a_grid():
    variant = load_config(ModelConfig, find_config("vqvae_grid", "model"))
    grid, terms = variant.model_dump()["grid"], variant.model_dump()["terms"]
    assert grid == GridConfig().model_dump()
    assert [*ModelConfig().model_dump()["terms"], terms[-1]] == list(terms)
    assert variant.model_copy(update={"grid": None, "terms": ModelConfig().terms}) == ModelConfig()
