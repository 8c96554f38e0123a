"""`audioae aliases import`, `list` and `remove`: what they print, and how they exit."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audioae.cli import app
from audioae.errors import ConfigError
from audioae.store.dataset import Store
from tests.stores import made_store

RUN = CliRunner()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    rows = ["id;path;isrc", "1;/m/music/t01.mp3;", "2;/m/music/t02.mp3;", "3;/m/music/x.mp3;USRC17607839"]
    (tmp_path / "songs.csv").write_text("\n".join(rows))
    return made_store(tmp_path / "store", 4)


def answer(store: Store, *arguments: str) -> str:
    result = RUN.invoke(app, ["aliases", *arguments, "--store", store.root])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_import_list_and_remove(store: Store, tmp_path: Path):
    assert "no aliases yet" in answer(store, "list")
    arguments = ["import", str(tmp_path / "songs.csv"), "--namespace", "navidrome", "--column", "external_id=id"]
    assert "dry run: nothing was published" in answer(store, *arguments, "--dry-run")
    assert store.latest("aliases") is None
    out = tmp_path / "unmatched.csv"
    printed = answer(store, *arguments, "--out", str(out))
    assert "2 of 3 rows have a track: path 2" in printed
    assert "1 rows have none:\n  1  isrc: no track; path: no track" in printed
    assert "/m/music/x.mp3" in out.read_text()
    done = json.loads(answer(store, *arguments, "--json"))
    assert (done["matched"], done["unmatched"], done["aliases"]) == ({"path": 2}, 1, str(store.require("aliases")))
    (row,) = json.loads(answer(store, "list", "--json"))
    assert (row["namespace"], row["aliases"], row["in_catalog"]) == ("navidrome", 2, 2)
    assert "path 2" in answer(store, "list")
    assert "navidrome is no longer in aliases@" in answer(store, "remove", "navidrome")
    assert json.loads(answer(store, "list", "--json")) == []


def test_prefixes_and_a_wrong_column(store: Store, tmp_path: Path):
    arguments = ["import", str(tmp_path / "songs.csv"), "--namespace", "plex", "--column", "external_id=id"]
    moved = ["--strip-prefix", "/m/music", "--path-prefix", "/music"]
    assert "2 of 3 rows" in answer(store, *arguments, *moved)
    wrong = RUN.invoke(app, ["aliases", *arguments[:-1], "id", "--store", store.root])
    assert isinstance(wrong.exception, ConfigError)
    assert "wanted OURS=THEIRS, such as external_id=id" in str(wrong.exception)
