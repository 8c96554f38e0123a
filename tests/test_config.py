"""Config errors name the file, the field, the value, and the closest known key."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from audioae.config import Config, fingerprint, load_config
from audioae.errors import ConfigError


class Inner(Config):
    steps: int = Field(default=10, ge=1)


class Outer(Config):
    INCLUDES: ClassVar[tuple[str, ...]] = ("inner",)
    name: str
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()


def write(tmp_path: Path, text: str, name: str = "c.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_overrides_set_nested_keys_and_are_parsed_as_yaml(tmp_path: Path):
    path = write(tmp_path, "name: a\ninner: {steps: 3}")
    config = load_config(Outer, path, ["inner.steps=7", "name=s3://bucket/x=y"])
    assert config == Outer(name="s3://bucket/x=y", inner=Inner(steps=7))


def test_an_override_that_is_no_yaml_is_text(tmp_path: Path):
    path = write(tmp_path, "name: a")
    for text in ("2026-13-45", "[", "!!python/name:os.system"):
        assert load_config(Outer, path, [f"name={text}"]).name == text


def test_an_included_file_is_found_next_to_the_config(tmp_path: Path):
    write(tmp_path, "steps: 5", "inner.yaml")
    assert load_config(Outer, write(tmp_path, "name: a\ninner: inner.yaml")).inner.steps == 5
    with pytest.raises(ConfigError, match=r"other.yaml: no such config file"):
        load_config(Outer, write(tmp_path, "name: a\ninner: other.yaml"))


def test_an_override_can_set_a_key_of_an_included_file(tmp_path: Path):
    write(tmp_path, "steps: 5", "inner.yaml")
    path = write(tmp_path, "name: a\ninner: inner.yaml")
    assert load_config(Outer, path, ["inner.steps=6"]).inner.steps == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inner: {steps: 3}", r"c.yaml: 1 problem.*\n  name: missing"),
        ("name: a\ninner: {stepz: 3}", r"inner.stepz: unknown key; did you mean 'steps'\?"),
        ("name: a\nnmae: b", r"nmae: unknown key; did you mean 'name'\?"),
        ("name: a\ninner: {steps: 0}", r"inner.steps: got 0; Input should be greater than or equal to 1"),
        ("name: [", r"c.yaml: not valid YAML"),
        ("name: 2026-13-45", r"c.yaml: not valid YAML: month must be in 1..12"),
        ("name: !!int x", r"c.yaml: not valid YAML: invalid literal"),
        ("name: " + "[" * 3000, r"c.yaml: not valid YAML: maximum recursion depth"),
        ("? [1, 2]\n: x", r"(?s)c.yaml: not valid YAML: .*found unhashable key"),
        ("name: a\ninner: !Foo {}", r"c.yaml: line 2: .* tag '!Foo'; a config is plain data and runs no code"),
        ("name: !!python/object/apply:os.abort []", r"c.yaml: line 1: .*:os.abort'; .* runs no code: remove the tag"),
        ("name: !!python/name:os.system", r"c.yaml: line 1: .*:os.system'; .* runs no code: remove the tag"),
        ("- a", r"c.yaml: got a list at the top"),
    ],
)
def test_the_error_of_a_bad_file_names_the_problem(tmp_path: Path, text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        load_config(Outer, write(tmp_path, text))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("steps", r"--set 'steps': wanted key.path=value"),
        ("name.x=1", r"'name' is 'a', wanted a section of keys"),
        ("inner.stepz=1", r"did you mean 'steps'"),
        ("many.two.steps=1", r"--set 'many.two.steps=1': 'many' is a list of 2, wanted a number from 0 to 1"),
        ("many.2=1", r"'many' is a list of 2, wanted a number from 0 to 1 below it, got '2'"),
        ("many.-1=1", r"'many' is a list of 2, wanted a number from 0 to 1 below it, got '-1'"),
    ],
)
def test_the_error_of_a_bad_override_names_the_problem(tmp_path: Path, override: str, message: str):
    with pytest.raises(ConfigError, match=message):
        load_config(Outer, write(tmp_path, "name: a\nmany: [{}, {steps: 3}]"), [override])


def test_an_override_reaches_into_a_list(tmp_path: Path):
    path = write(tmp_path, "name: a\nmany: [{}, {steps: 3}, {steps: 4}]")
    loaded = load_config(Outer, path, ["many.1.steps=7", "many.2={steps: 8}"])
    assert [one.steps for one in loaded.many] == [Inner().steps, 7, 8]


def test_the_error_of_a_missing_file_names_it():
    with pytest.raises(ConfigError, match=r"nowhere.yaml: no such config file"):
        load_config(Outer, "nowhere.yaml")


def test_a_fingerprint_depends_only_on_the_content():
    assert fingerprint(Inner(steps=2)) == fingerprint({"steps": 2}) != fingerprint({"steps": 3})
