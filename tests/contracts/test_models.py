"""The contract of every variant in configs/model/; a new YAML file is tested automatically."""

from pathlib import Path

import numpy as np
import pytest
import torch

from audioae.config import load_config
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.pca import PcaModel
from audioae.model.train_config import TrainConfig
from audioae.model.training import TrainResult, fit
from audioae.model.weights import model_from_bytes, model_to_bytes

VARIANTS = sorted((Path(__file__).parents[2] / "configs" / "model").glob("*.yaml"))
NETS = [path for path in VARIANTS if path.stem != "pca"]
every_variant = pytest.mark.parametrize("path", VARIANTS, ids=lambda path: path.stem)
every_net = pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)


def tiny(path: Path) -> ModelConfig:
    """Load the variant with few channels."""
    return load_config(ModelConfig, path, [] if path.stem == "pca" else ["channels=[2, 4, 4, 8]"])


@pytest.fixture(scope="module")
def clips() -> ClipSet:
    """Twelve tracks of two clips; each track has one spectral slope and one beat."""
    rng = np.random.default_rng(0)
    track = np.repeat(np.arange(12), 2)
    tilt = rng.uniform(-0.3, 0.3, 12)[track][:, None, None] * np.arange(128)[:, None]
    beat = 10 * np.sin(np.arange(130) / rng.uniform(1, 6, 12)[track][:, None, None])
    db = tilt + beat + rng.normal(0, 3, (24, 128, 130))
    db = np.clip(db - db.max(axis=(1, 2), keepdims=True), -80, 0)
    codes = np.round((db + 80) * 255 / 80).astype(np.uint8)
    return ClipSet(codes, np.zeros(24, np.float32), track.astype(np.int64))


@pytest.fixture(scope="module")
def trained(clips: ClipSet) -> dict[str, TrainResult]:
    """Every variant, trained for 30 steps."""
    config = TrainConfig(
        steps=30, batch_size=16, learning_rate=5e-3, warmup=2, log_every=1, validate_every=30, accelerator="cpu"
    )
    return {path.stem: fit(tiny(path), config, clips) for path in VARIANTS}


def mels(clips: ClipSet, n: int = 16) -> torch.Tensor:
    return torch.from_numpy(clips.codes[:n])


def test_all_documented_variants_exist():
    assert {path.stem for path in VARIANTS} >= {
        "undercomplete", "sparse_l1", "sparse_kl", "denoising", "denoising_salt_pepper", "masked", "contractive", "vae",
        "beta_vae", "vqvae", "vqvae_product", "vqvae_residual", "vqvae_consistency", "vqvae_stats", "vqvae_vicreg",
        "vqvae_grid", "pca",
    }  # fmt: skip


@every_net
def test_a_config_has_5_to_12_lines(path: Path):
    assert 5 <= len(path.read_text().splitlines()) <= 12


def test_the_default_config_is_the_consistency_variant():
    assert load_config(ModelConfig, VARIANTS[0].with_name("vqvae_consistency.yaml")) == ModelConfig()


@every_net
def test_the_full_size_model_builds_and_embeds(path: Path):
    model = build_model(load_config(ModelConfig, path)).eval()
    with torch.no_grad():
        assert model.embed(torch.zeros(1, 128, 130, dtype=torch.uint8)).shape == (1, 128)


@every_variant
def test_embeddings_are_deterministic_and_do_not_depend_on_the_batch(path: Path, trained: dict, clips: ClipSet):
    model = trained[path.stem].model
    with torch.no_grad():
        together = model.embed(mels(clips))
        assert torch.equal(together, model.embed(mels(clips)))
        alone = torch.cat([model.embed(mel.unsqueeze(0)) for mel in mels(clips)])
    assert together.shape == (16, 128)
    assert together.dtype == torch.float32
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)


@every_variant
def test_reconstructions_and_decoded_embeddings_are_mels_in_range(path: Path, trained: dict, clips: ClipSet):
    model = trained[path.stem].model
    with torch.no_grad():
        embeddings, errors = model.embed_and_score(mels(clips))
        for out in (model.reconstruct(mels(clips)), model.decode(embeddings)):
            assert out.shape == (16, 128, 130)
            assert out.min() >= -80
            assert out.max() <= 0
    assert errors.shape == (16,)
    assert torch.isfinite(errors).all()


@every_variant
def test_a_loaded_model_gives_identical_results(path: Path, trained: dict, clips: ClipSet):
    model = trained[path.stem].model
    loaded = model_from_bytes(model_to_bytes(model))
    with torch.no_grad():
        assert torch.equal(loaded.embed(mels(clips)), model.embed(mels(clips)))
        assert torch.equal(loaded.reconstruct(mels(clips)), model.reconstruct(mels(clips)))


@every_net
def test_every_parameter_gets_a_finite_gradient(path: Path, clips: ClipSet):
    model = build_model(tiny(path))
    assert isinstance(model, ConvAutoencoder)
    generator = torch.Generator().manual_seed(0)
    losses, _ = model.train()(mels(clips), torch.from_numpy(clips.track[:16]), generator)
    model.total(losses, step=10_000).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@every_net
def test_training_improves_the_reconstruction(path: Path, trained: dict):
    rows = [row for row in trained[path.stem].metrics if row["split"] == "train"]
    first, last = (sum(row["mse"] for row in part) / 5 for part in (rows[:5], rows[-5:]))
    assert last < 0.97 * first


@every_net
def test_terms_are_logged_by_name(path: Path, trained: dict):
    names = {term.key for term in tiny(path).terms}
    for split in ("train", "held_out"):
        row = next(row for row in trained[path.stem].metrics if row["split"] == split)
        assert names | {"loss", "step"} <= set(row)


@every_variant
def test_a_single_clip_is_enough_to_train(path: Path, clips: ClipSet):
    one = ClipSet(clips.codes[:1], clips.peak_db[:1], clips.track[:1])
    result = fit(tiny(path), TrainConfig(steps=2, batch_size=2, accelerator="cpu"), one)
    assert isinstance(result.model, (ConvAutoencoder, PcaModel))
    with torch.no_grad():
        assert torch.isfinite(result.model.embed(mels(clips))).all()
