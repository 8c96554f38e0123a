"""Packaged configs are found by name, in a checkout and beside configs of the user."""

from pathlib import Path

import pytest

from audioae.config import load_config
from audioae.config_files import FOLDER, find_config, list_configs, packaged_config
from audioae.errors import ConfigError
from audioae.model.config import ModelConfig
from audioae.settings import PipelineConfig


def test_lists_every_config_with_a_description():
    configs = list_configs()
    assert list(configs)[:3] == ["demo", "evaluation", "pipeline"], "whole runs come first"
    assert {"tiny", "model/vae", "index/flat", "catalog/fma"} <= set(configs)
    assert len(configs) == len(list(FOLDER.rglob("*.yaml")))
    for name, line in configs.items():
        assert line.endswith("."), f"{name}: the first comment line should be one sentence: {line!r}"


def test_finds_a_config_by_name_and_a_file_wins(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("demo") == str(FOLDER / "demo.yaml")
    assert find_config("vae", "model") == str(FOLDER / "model" / "vae.yaml")
    Path("demo").write_text("store: mine\n")
    assert find_config("demo") == "demo"
    assert packaged_config("demo") == FOLDER / "demo.yaml"


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [
        (
            "dmeo",
            "",
            r"dmeo: no such config. Did you mean 'demo'\? Expected a YAML file, or one of demo, evaluation, pipeline",
        ),
        ("/nowhere/c.yaml", "", r"/nowhere/c.yaml: no such config. Expected a YAML file, or one of demo"),
        ("vqae", "model", r"Did you mean 'vqvae'\? Expected a YAML file, or one of beta_vae, contractive"),
    ],
)
def test_an_unknown_name_lists_the_names(name: str, folder: str, message: str):
    with pytest.raises(ConfigError, match=message):
        find_config(name, folder)


def test_a_config_elsewhere_can_name_packaged_parts(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine.yaml"
    mine.write_text("catalog: {source: music}\nmodel: model/vqvae.yaml\n")
    vqvae, vae = (load_config(ModelConfig, FOLDER / "model" / f"{name}.yaml") for name in ("vqvae", "vae"))
    assert load_config(PipelineConfig, mine).model == vqvae
    assert load_config(PipelineConfig, mine, ["model=vae"]).model == vae
    assert load_config(PipelineConfig, mine, ["model=configs/model/vae.yaml"]).model == vae
    (tmp_path / "vae").write_text("bottleneck: {kind: linear}\nterms: [{kind: mse}]\naugment: null\n")
    assert load_config(PipelineConfig, mine, ["model=vae"]).model.bottleneck.kind == "linear", "the user's file wins"


def test_the_default_model_is_the_default_variant(tmp_path: Path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("catalog: {source: music}\n")
    default = load_config(ModelConfig, FOLDER / "model" / "vqvae_consistency.yaml")
    assert load_config(PipelineConfig, mine).model == default
