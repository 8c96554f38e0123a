"""The configs that come with the package: `audioae run demo` and `model: vae` find them by name.

Conventions
-----------
- A name is a path below the folder of configs, without the suffix: `demo`, `model/vae`.
- A file of the user wins over a config of that name.
- The folder is `audioae/configs` in an installed package, and `configs` beside the package in a checkout.
"""

import difflib
from pathlib import Path

from audioae.errors import ConfigError

_INSTALLED = Path(__file__).with_name("configs")
FOLDER = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[1] / "configs"


def list_configs() -> dict[str, str]:
    """The name of every packaged config, whole runs first, with the first line of its comment.

    >>> list_configs()["demo"].startswith("The demo")
    True
    """
    paths = sorted(FOLDER.rglob("*.yaml"), key=lambda path: (len(path.relative_to(FOLDER).parts), path))
    return {path.relative_to(FOLDER).with_suffix("").as_posix(): _first_comment(path) for path in paths}


def packaged_config(name: str, folder: str = "") -> Path | None:
    """The packaged config called `name`, or `name` within `folder`; None if there is none.

    >>> packaged_config("vae", "model") == packaged_config("model/vae") == packaged_config("configs/model/vae.yaml")
    True
    """
    name = name.removeprefix("configs/").removesuffix(".yaml")
    names = list_configs()
    found = next((one for one in (f"{folder}/{name}", name) if one in names), None)
    return FOLDER / f"{found}.yaml" if found else None


def find_config(name: str, folder: str = "") -> str:
    """The path of a config: the file `name` if there is one, else the packaged config of that name.

    Raises
    ------
    ConfigError
        If there is neither; the message lists the names.
    """
    if Path(name).is_file():
        return name
    if packaged := packaged_config(name, folder):
        return str(packaged)
    known = [one.rpartition("/")[2] for one in list_configs() if one.rpartition("/")[0] == folder]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise ConfigError(f"{name}: no such config. {hint}Expected a YAML file, or one of {', '.join(known)}.")


def _first_comment(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next((line.lstrip("# ").rstrip() for line in lines if line.startswith("#")), "")
