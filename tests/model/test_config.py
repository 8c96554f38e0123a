"""Model configs that do not fit together are refused when the YAML is read."""

from pathlib import Path

import pytest

from audioae.config import load_config
from audioae.errors import ConfigError
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
