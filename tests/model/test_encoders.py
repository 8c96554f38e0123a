"""Encoders of a user's own: the contract, errors that say what is wrong, and models that contain one."""

from typing import Any

import pytest
import torch

from audioae.config import parse_config
from audioae.errors import ConfigError, ModelError
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.blocks import Encoder
from audioae.model.config import ModelConfig
from audioae.model.contract import check_encoder
from audioae.model.embedder import Embedder
from audioae.model.weights import model_from_bytes, model_to_bytes
from tests.model import own_encoders

OWN = {"kind": "import", "path": "tests.model.own_encoders:Pooling", "options": {"gain": 2.0}}


def config(**own: object) -> ModelConfig:
    return parse_config(ModelConfig, {"channels": [4, 8], "encoder": {**OWN, **own}}, where="test")


def first_weight(model: ModelConfig, seed: int) -> Any:
    built: Any = build_model(model, seed)
    return built.encoder.mixes[0].weight


@pytest.mark.parametrize("channels", [(16, 32, 64, 128), (4,), ()])
def test_the_built_in_encoder_and_a_good_one_keep_the_contract(channels: tuple[int, ...]):
    check_encoder(Encoder, channels)
    check_encoder(own_encoders.Pooling, channels)
    check_encoder(own_encoders.Pooling, channels, gain=3.0)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Alone", "got a Tensor, wanted a list of tensors"),
        ("Shallow", r"got maps of shapes .* wanted \[\(3, 1, 128, 144\), \(3, 4, 64, 72\), \(3, 8, 32, 36\)\]"),
        ("Changed", "map 0 is not the input, wanted it with zeros up to 144 frames"),
        ("Double", "map 1 is torch.float64, wanted torch.float32"),
        ("Infinite", "values of map 1 are NaN or infinite"),
        ("Noisy", "in eval mode map 1 differs when it is computed again"),
        ("OverTheBatch", "map 1 of a clip is .* off without the others of its batch"),
        ("Tied", "its weights cannot be saved and loaded"),
        ("Unused", "more.weight gets no gradient; remove it, or set requires_grad to False"),
        ("Drawn", "mixes.0.bias differs when it is built again; draw from torch's generator only"),
        ("function", "wanted a subclass of torch.nn.Module"),
    ],
)
def test_a_broken_promise_is_named(name: str, problem: str):
    with pytest.raises(ModelError, match=f"encoder {name}: .*{problem}" if name != "function" else problem):
        check_encoder(getattr(own_encoders, name), (4, 8))


def test_a_model_with_an_own_encoder_trains_embeds_and_is_loaded():
    model = build_model(config(), seed=3)
    assert isinstance(model, ConvAutoencoder)
    assert isinstance(model.encoder, own_encoders.Pooling)
    mels = torch.randint(0, 256, (6, 128, 130), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    losses, _ = model.train()(mels, torch.arange(3).repeat(2), torch.Generator().manual_seed(0))
    assert model.total(losses, 0).isfinite()
    loaded = model_from_bytes(model_to_bytes(model))
    embedded = (Embedder(each, "cpu", threads=1).embed(mels.numpy())[0] for each in (model, loaded))
    assert (next(embedded) == next(embedded)).all()
    assert isinstance(loaded, ConvAutoencoder)
    assert loaded.config == model.config


def test_the_same_seed_builds_the_same_encoder():
    one, same, other = (first_weight(config(), seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_an_own_encoder_keeps_the_weights_that_it_was_built_with(monkeypatch: pytest.MonkeyPatch):
    """It may load trained ones."""

    def trained(self: Any, *arguments: Any) -> None:
        first(self, *arguments)
        torch.nn.init.constant_(self.mixes[0].weight, 0.25)

    first = own_encoders.Pooling.__init__
    monkeypatch.setattr(own_encoders.Pooling, "__init__", trained)
    assert (first_weight(config(options={}), 0) == 0.25).all()


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("mypackage.nets", "got 'mypackage.nets'; Value error, wanted package.module:Name"),
        ("a b:C", "wanted package.module:Name"),
        (
            "not_here.nets:Net",
            "there is no module 'not_here' here; install its package here, or add its folder to PYTHONP",
        ),
    ],
)
def test_a_path_that_leads_nowhere_fails_when_the_config_is_read(path: str, problem: str):
    with pytest.raises(ConfigError, match=problem):
        config(path=path)


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ({"path": "tests.not_here:Net"}, r"encoder tests.not_here:Net: No module named 'tests.not_here'; install"),
        ({"path": "tests.model.own_encoders:Nothing"}, "module tests.model.own_encoders has no Nothing"),
        ({"path": "tests.model.own_encoders:function"}, "wanted a subclass of torch.nn.Module"),
        ({"options": {"gian": 2}}, r"Pooling\(\(4, 8\), gian=2\) fails: TypeError"),
        ({"path": "tests.model.own_encoders:Shallow"}, r"got maps of shapes .*, wanted .* for channels \(4, 8\)"),
    ],
)
def test_what_is_wrong_with_the_class_fails_when_the_model_is_built(own: dict, problem: str):
    with pytest.raises(ModelError, match=problem):
        build_model(config(**own))


def test_a_stored_model_says_what_is_missing_where_its_encoder_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    content = model_to_bytes(build_model(config()))
    header_of_another = content.replace(b"tests.model.own_encoders:Pooling", b"tests_model.own_encoders:Pooling")
    wanted = r"config of the model.*\n.*encoder.path: .*no module 'tests_model' here; install"
    with pytest.raises(ConfigError, match=wanted):
        model_from_bytes(header_of_another)


def test_configs_without_one_are_written_as_before():
    assert "encoder" not in ModelConfig().model_dump()
    assert config().model_dump(mode="json")["encoder"] == OWN
