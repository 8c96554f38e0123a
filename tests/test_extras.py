"""A missing package is named with the extra that installs it."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from audioae import cli
from audioae.extras import EXTRA_OF, explain_missing

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = {"pandas"}  # to_pandas() converts for those who have it


def distributions(requirements: list[str]) -> set[str]:
    """Normalized names of requirements such as "dask[distributed]>=2025.1"."""
    names = (requirement.split("[")[0].split("=")[0].strip("<>~! ") for requirement in requirements)
    return {name.lower().replace("_", "-").split("<")[0].split(">")[0] for name in names}


def imported_modules() -> set[str]:
    """Top-level modules that the package imports anywhere, without its own and the standard library's."""
    modules = set()
    for path in (ROOT / "audioae").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    return modules - {"audioae"} - set(sys.stdlib_module_names)


def test_every_imported_package_is_in_the_base_or_in_a_known_extra():
    base = distributions(PROJECT["dependencies"])
    installs = packages_distributions()
    for module in imported_modules() - OPTIONAL:
        names = {name.lower().replace("_", "-") for name in installs[module]}
        assert (names & base) or module in EXTRA_OF, f"{module}: add {names} to pyproject.toml and to EXTRA_OF"
        assert not (names & base and module in EXTRA_OF), f"{module} is in the base"


@pytest.mark.parametrize("module", EXTRA_OF)
def test_the_extra_that_is_named_installs_the_module(module: str):
    extra = distributions(PROJECT["optional-dependencies"][EXTRA_OF[module]])
    names = {name.lower().replace("_", "-") for name in packages_distributions()[module]}
    assert names & extra, f"{module} is not installed by audioae[{EXTRA_OF[module]}]"


def test_a_bug_of_ours_is_not_explained_away():
    assert explain_missing(ModuleNotFoundError("x", name="audioae.no_such_module"), "audioae run") is None
    assert explain_missing(ModuleNotFoundError("x"), "audioae run") is None


def test_a_command_without_its_extra_ends_with_one_line(monkeypatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "prefect.settings", None)  # importing it raises ModuleNotFoundError
    monkeypatch.setattr(sys, "argv", ["audioae", "run", "tiny", "--set", f"store={tmp_path}"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == (
        "audioae run needs the extra: pip install 'audioae[pipeline]' (prefect is not installed)"
    )
    assert not list(tmp_path.rglob("*"))
