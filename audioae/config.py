"""Configuration: frozen pydantic models, read from YAML, with overrides as `key.path=value`.

Conventions
-----------
- One `Config` subclass per component, in the component's own module; unknown keys are errors.
- A wrong key or value fails when the YAML is read; the error names the file, the field and the bad value.
- A fingerprint is the first 16 hex digits of the SHA-256 of canonical JSON: the same content has the same fingerprint
  in every process and on every machine.
"""

import difflib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from audioae.config_files import packaged_config
from audioae.errors import ConfigError

# The loader lets errors of int, float and datetime through.
_NOT_YAML = (yaml.YAMLError, UnicodeDecodeError, ValueError, AttributeError, RecursionError)


class Config(BaseModel):
    """Base class of every config: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


C = TypeVar("C", bound=Config)


def fingerprint(content: Any) -> str:
    """Hash JSON-like content (or a `Config`) to 16 hex digits.

    >>> fingerprint({"b": 1, "a": [1, 2]}) == fingerprint({"a": [1, 2], "b": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=_to_json, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_config(cls: type[C], path: str | Path, overrides: Sequence[str] = ()) -> C:
    """Read a YAML file into `cls`, with `key.path=value` overrides applied first; a number in a path counts in a list.

    A string under a key named in `cls.INCLUDES` (a class attribute, optional) names a YAML file that is read in its
    place: `model: mine.yaml`, relative to this file or to the working directory; or a packaged config: `model: vae`.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or does not match `cls`; the message names file, field and value.
    """
    content = read_yaml(path)
    includes = getattr(cls, "INCLUDES", ())
    whole = [override for override in overrides if override.partition("=")[0].strip() in includes]
    for override in whole:
        _apply(content, override)
    for key in includes:
        if isinstance(content.get(key), str):
            content[key] = read_yaml(_included(Path(path), key, content[key]))
    for override in overrides:
        if override not in whole:
            _apply(content, override)
    return parse_config(cls, content, where=str(path))


def parse_config(cls: type[C], content: Any, where: str) -> C:
    """Validate `content` as `cls`. Raises `ConfigError` naming `where`, every bad field, and its value."""
    try:
        return cls.model_validate(content)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(cls, problem)}" for problem in error.errors())
        raise ConfigError(f"{where}: {error.error_count()} problem(s) in the configuration\n{problems}") from None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises `ConfigError` naming the file if it is missing or not a mapping."""
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such config file; wanted a YAML file like configs/pipeline.yaml")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.constructor.ConstructorError as error:
        if "tag" not in (error.problem or ""):
            raise ConfigError(f"{path}: not valid YAML: {error}") from None
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise ConfigError(
            f"{path}: line {line}: {error.problem}; a config is plain data and runs no code: remove the tag"
        ) from None
    except _NOT_YAML as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: got a {type(content).__name__} at the top, wanted `key: value` lines")
    return content


def _apply(content: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {override!r}: wanted key.path=value, for example --set train.steps=500")
    try:
        value = yaml.safe_load(text) if text else None
    except _NOT_YAML:
        value = text
    place: Any = content
    name: Any
    name, *names = key.strip().split(".")
    for below in names:
        place = place.setdefault(name, {}) if isinstance(place, dict) else place[name]
        if isinstance(place, list):
            if not (below.isdecimal() and int(below) < len(place)):
                wanted = f"wanted a number from 0 to {len(place) - 1} below it, got {below!r}"
                raise ConfigError(f"--set {override!r}: {name!r} is a list of {len(place)}, {wanted}")
            name = int(below)
        elif isinstance(place, dict):
            name = below
        else:
            raise ConfigError(
                f"--set {override!r}: {name!r} is {place!r}, wanted a section of keys; set {name!r} itself"
            )
    place[name] = value


def _included(path: Path, key: str, name: str) -> Path:
    """Find a file named in a config: next to it, in the working directory, or among the packaged configs (`vae`)."""
    if (sibling := path.parent / name).is_file():
        return sibling
    return Path(name) if Path(name).is_file() else packaged_config(name, key) or Path(name)


def _explain(cls: type[BaseModel], problem: Any) -> str:
    loc = [str(part) for part in problem["loc"]]
    field = ".".join(loc) or "(top)"
    if problem["type"] == "extra_forbidden":
        known = _fields_at(cls, loc[:-1])
        close = difflib.get_close_matches(loc[-1], known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(known))}"
        return f"{field}: unknown key; {hint}"
    if problem["type"] == "missing":
        return f"{field}: missing; add this required key"
    return f"{field}: got {problem['input']!r}; {problem['msg']}"


def _fields_at(cls: Any, loc: Sequence[str]) -> list[str]:
    """Return the field names of the model at `loc`, or [] if `loc` does not lead to one model."""
    for part in loc:
        fields = getattr(cls, "model_fields", {})
        if part not in fields:
            return []
        cls = next((t for t in _types(fields[part].annotation) if hasattr(t, "model_fields")), None)
    return list(getattr(cls, "model_fields", {}))


def _types(annotation: Any) -> list[Any]:
    arguments = getattr(annotation, "__args__", None)
    return [t for a in arguments for t in _types(a)] if arguments else [annotation]


def _to_json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot fingerprint a {type(value).__name__}")
