"""Model configs that do not fit together are refused when the YAML is read."""

from pathlib import Path

import pytest

from audioae.config import load_config
from audioae.errors import ConfigError
from audioae.model.bottlenecks import GaussianConfig
from audioae.model.config import ModelConfig


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bottleneck: {kind: linear}\nterms: [{kind: kl}]", "'kl' needs posterior.*'linear'"),
        ("bottleneck: {kind: vq}\nterms: [{kind: sparse_kl}]", "'sparse_kl' needs activation.*'vq'"),
        ("augment: null", "'info_nce' needs pairs.*'vq' without augment"),
        ("terms: [{kind: mse}, {kind: mse}]", "got duplicate term names"),
        ("terms: [{kind: mse, weight: 0}]", "nothing to train"),
        ("kind: pca\naugment: null", "kind pca takes no other key, got augment"),
        ("bottleneck: {kind: vq, groups: 10}", "groups must divide 128, got 10"),
        ("bottleneck: {kind: vq, code_book_size: 10}", "code_book_size"),
        ("head: {kind: transformer}", "transformer"),
        ("channels: [1, 2, 3, 4, 5]", "channels"),
    ],
)
def test_a_config_that_does_not_fit_names_the_file_and_the_problem(tmp_path: Path, text: str, message: str):
    path = tmp_path / "model.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(ModelConfig, path)
    assert "model.yaml" in str(caught.value)


def test_a_gaussian_of_all_units_is_written_as_before_it_had_a_dim():
    assert GaussianConfig(kind="gaussian").model_dump(mode="json") == {"kind": "gaussian"}
    two = ModelConfig.model_validate({"bottleneck": {"kind": "gaussian", "dim": 2}, "terms": [{"kind": "mse"}]})
    assert two.model_dump(mode="json")["bottleneck"] == {"kind": "gaussian", "dim": 2}
    assert ModelConfig.model_validate(two.model_dump(mode="json")) == two
