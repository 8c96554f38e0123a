"""The wheel is the product: built, installed outside the checkout, and used from an empty folder.

Two environments: one with everything (it borrows the packages of the one that runs the tests, so nothing large is
installed again), and one with the base dependencies alone, as `pip install audioae` makes it.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

from audioae import __version__
from audioae.config_files import FOLDER

ROOT = Path(__file__).parents[2]
WEB = ROOT / "audioae" / "serve" / "explore" / "web"  # the page's sources; the wheel has its bundle
UV = os.environ.get("UV") or shutil.which("uv")
MAX_BASE_MB = 450
# As small as a demo can be that every command below has an answer to.
DEMO = {
    "synth.n_tracks": "24",
    "synth.min_s": "6",
    "synth.max_s": "9",
    "train.steps": "5",
    "train.batch_size": "16",
    "screen.corrupt": "null",
    "max_reject_rate": "0.5",
}

pytestmark = pytest.mark.skipif(UV is None, reason="uv is not on the PATH: `pip install uv`")


def run(*command: str | Path, cwd: Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run outside the checkout: nothing of this process's Python may leak in."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "AUDIOAE"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0 or not check, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def environment(folder: Path, *install: str | Path) -> Path:
    """A new virtual environment with `uv pip install *install`; returns its folder of programs.

    The packages are in uv's cache on a machine that has run `uv run`; the network is asked only if they are not.
    """
    run(UV or "uv", "venv", "--python", sys.executable, folder, cwd=folder.parent)
    command = (UV or "uv", "pip", "install", "--python", folder / "bin" / "python", *install)
    if run(*command, "--offline", cwd=folder.parent, check=False).returncode:
        run(*command, cwd=folder.parent)
    return folder / "bin"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(UV or "uv", "build", "--wheel", "--out-dir", out, cwd=ROOT)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, and the packages of this environment behind it on the path."""
    folder = tmp_path_factory.mktemp("full") / "env"
    programs = environment(folder, "--no-deps", wheel)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return programs


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel and its base dependencies, in the versions of this environment."""
    root = tmp_path_factory.mktemp("base")
    pins = {one.name: one.version for one in distributions() if one.name != "audioae"}
    (root / "pins.txt").write_text("".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
    return environment(root / "env", wheel, "--constraint", root / "pins.txt")


@pytest.fixture(scope="module")
def demo(full: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which `audioae demo` ran, and what it printed."""
    empty = tmp_path_factory.mktemp("empty")
    overrides = [part for key, value in DEMO.items() for part in ("--set", f"{key}={value}")]
    home = str(tmp_path_factory.mktemp("prefect"))
    done = run(full / "audioae", "demo", *overrides, cwd=empty, PREFECT_HOME=home)
    return empty, done.stderr + done.stdout


def test_the_wheel_holds_the_package_its_data_and_nothing_else(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert wheel.name == f"audioae-{__version__}-py3-none-any.whl"
    assert {name.partition("/")[0] for name in names} == {"audioae", f"audioae-{__version__}.dist-info"}
    data = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "audioae").rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".nbi", ".nbc") and not path.is_relative_to(WEB)
    }
    configs = {f"audioae/configs/{path.relative_to(FOLDER).as_posix()}" for path in FOLDER.rglob("*.yaml")}
    assert {"audioae/serve/explore/static/explorer.js", "audioae/serve/explore/static/index.html"} <= data
    assert {"audioae/py.typed", "audioae/flows/pipeline.py", "audioae/demo/presets/jazz.yaml"} <= data
    assert {"audioae/configs/demo.yaml", "audioae/configs/model/vae.yaml"} <= configs
    assert {name for name in names if name.startswith("audioae/")} == data | configs
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_installed_package_is_the_one_in_use(full: Path, demo: tuple[Path, str]):
    code = "import audioae, sys; print(audioae.__file__); import flows"
    done = run(full / "python", "-c", code, cwd=demo[0], check=False)
    assert str(full.parent) in done.stdout
    assert "No module named 'flows'" in done.stderr
    assert run(full / "audioae", "--version", cwd=demo[0]).stdout == f"audioae {__version__}\n"
    assert run(full / "python", "-m", "audioae", "--version", cwd=demo[0]).stdout == f"audioae {__version__}\n"


def test_lists_the_packaged_configs(base: Path, tmp_path: Path):
    listed = json.loads(run(base / "audioae", "configs", "--json", cwd=tmp_path).stdout)
    names = {path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.yaml")}
    assert {row["name"] for row in listed} == names


def test_the_demo_runs_in_an_empty_folder_and_answers(full: Path, demo: tuple[Path, str]):
    folder, printed = demo
    assert printed.startswith("Synthesizing 24 tracks into data/demo-catalog.")
    assert "recall@10" in printed
    assert sorted(path.name for path in folder.iterdir()) == ["data"]
    command = next(line.strip() for line in printed.splitlines() if line.strip().startswith("audioae similar"))
    title = command.split('"')[1]
    answer = json.loads(run(full / "audioae", "similar", title, "-k", "5", "--json", cwd=folder).stdout)
    assert answer["query"]["title"] == title
    assert len(answer["neighbors"]) == 5


@pytest.mark.parametrize(
    "arguments",
    [
        ("coverage",),
        ("versions", "--verify"),
        ("findings",),
        ("findings", "--check", "duplicate"),
        ("explain", "TRACK"),
    ],
    ids=" ".join,
)
def test_the_base_answers_questions_about_a_store(base: Path, demo: tuple[Path, str], arguments: tuple[str, ...]):
    track = _a_track(base, demo[0])
    given = [track if word == "TRACK" else word for word in arguments]
    assert run(base / "audioae", *given, cwd=demo[0]).stdout
    assert json.loads(run(base / "audioae", *given, "--json", cwd=demo[0]).stdout)


def test_the_base_searches_from_the_command_and_from_python(base: Path, demo: tuple[Path, str]):
    track = _a_track(base, demo[0])
    answer = json.loads(run(base / "audioae", "similar", track, "-k", "3", "--json", cwd=demo[0]).stdout)
    code = f"import audioae; print([n.track_id for n in audioae.open('data').similar({track!r}, k=3).neighbors])"
    assert run(base / "python", "-c", code, cwd=demo[0]).stdout.strip() == str(
        [neighbor["track_id"] for neighbor in answer["neighbors"]]
    )


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("run", "demo"), "extra: pip install 'audioae[pipeline]'"),
        (("demo",), "extra: pip install 'audioae[pipeline]'"),
        (("run", "index", "demo"), "extra: pip install 'audioae[pipeline]'"),
        (("similar", "FILE"), "extra: pip install 'audioae[pipeline]'"),
        (("evaluate",), "extra: pip install 'audioae[pipeline]'"),
        (("report",), "extra: pip install 'audioae[pipeline]'"),
        (("compare", "vae", "vqvae"), "extra: pip install 'audioae[pipeline]'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_base_names_the_missing_extra(base: Path, demo: tuple[Path, str], arguments: tuple[str, ...], extra: str):
    audio = str(next((demo[0] / "data" / "demo-catalog").rglob("*.flac")))
    outside = shutil.copy(audio, demo[0].parent / "outside.flac")
    given = [str(outside) if word == "FILE" else word for word in arguments]
    with open(outside, "ab") as file:
        file.write(b"0")  # other bytes: not a track of the catalog
    done = run(base / "audioae", *given, cwd=demo[0], check=False)
    assert done.returncode == 1
    assert f"audioae {arguments[0]} needs the {extra} (" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_base_is_small(base: Path):
    files = [path for path in base.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files) / 1e6
    assert size < MAX_BASE_MB, f"{size:.0f} MB"
    for name in ("torch", "prefect", "librosa", "numba", "scipy"):
        assert not list(base.parent.glob(f"lib/python*/site-packages/{name}")), name


def _a_track(base: Path, folder: Path) -> str:
    answer = json.loads(run(base / "audioae", "findings", "--check", "duplicate", "--json", cwd=folder).stdout)
    return answer["worst"][0]["track_id"]
