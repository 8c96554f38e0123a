"""Tags are written by strangers: every command that shows tracks shows them as they are, and not as markup."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audioae.cli import app, main
from audioae.cli.show import progress_line, rows_table, show
from audioae.store.dataset import Store
from tests.stores import made_store

N = 12
TITLE = "[/b] :fire: [red]9"
HOSTILE = "\x1b]0;\x07\u202e\r\nforged line\n" + "x" * 100_000
COMMANDS = [
    ("similar", "t00"),
    ("explain", "t00"),
    ("playlist", "t00", "t05", "-n", "4"),
    ("recommend", "tracks", "[/anna]", "PLAYS"),
    ("recommend", "audience", "t05", "PLAYS"),
]
TAGS = {
    "title": [TITLE] * N,
    "artist": [f"[/i] {i}" for i in range(N)],
    "album": ["[link=x]"] * N,
    "label": ["[/]"] * 6 + ["[/u]"] * 6,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("tags") / "[/store]"
    store = made_store(root, N, columns=TAGS)
    (root / "plays.csv").write_text("listener_id,track_id\n[/anna],t00\n[/anna],t01\n")
    return store


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("hostile")
    tags = {"title": [HOSTILE] * N, "artist": [f"{HOSTILE}{i}" for i in range(N)], "label": [HOSTILE] * N}
    store = made_store(root, N, columns=tags)
    (root / "plays.csv").write_text("listener_id,track_id\n[/anna],t00\n[/anna],t01\n")
    return store


@pytest.mark.parametrize("arguments", COMMANDS)
def test_tags_are_shown_as_they_are(store: Store, arguments: tuple[str, ...], monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    given = [f"{store.root}/plays.csv" if word == "PLAYS" else word for word in arguments]
    done = CliRunner().invoke(app, [*given, "--store", store.root])
    assert done.exception is None, repr(done.exception)
    assert TITLE in done.stdout
    assert "[/i]" in done.stdout


@pytest.mark.parametrize("arguments", COMMANDS)
def test_tags_that_steer_a_terminal_are_escaped_and_long_ones_cut(hostile, arguments, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    given = [f"{hostile.root}/plays.csv" if word == "PLAYS" else word for word in arguments]
    done = CliRunner().invoke(app, [*given, "--store", hostile.root])
    assert done.exception is None, repr(done.exception)
    assert {"\x1b", "\x07", "\u202e", "\r"}.isdisjoint(done.output)
    assert r"\x1b]0;" in "".join(done.stdout.split())
    assert len(done.output) < 100_000
    assert "forged line" not in [line.strip() for line in done.output.splitlines()]
    as_json = CliRunner().invoke(app, [*given, "--store", hostile.root, "--json"])
    assert json.dumps(HOSTILE)[1:-1] in as_json.stdout


def test_errors_and_progress_are_escaped_too(capfd, monkeypatch):
    with progress_line() as progress:
        progress("embedding a\x1b[2J\n: x", 1, 1)
    assert "\x1b[2J" not in capfd.readouterr().err
    monkeypatch.setattr(sys, "argv", ["audioae", "similar", "a\x1b[2J", "--store", "/nowhere\x1b[2J"])
    with pytest.raises(SystemExit, match=r"nowhere\\x1b\[2J"):
        main()


@pytest.mark.parametrize("command", ["coverage", "versions"])
def test_so_is_the_name_of_a_store(store: Store, command: str, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    assert "[/store]" in CliRunner().invoke(app, [command, "--store", store.root]).stdout


def test_title_columns_cells_and_lines(capsys):
    show(False, {}, [rows_table([{"[/c]": ["[/x]"]}], ("[/c]",), "[/t]"), "left out: [/l] :fire:"])
    shown = capsys.readouterr().out
    for words in ("[/c]", "['[/x]']", "[/t]", "[/l] :fire:"):
        assert words in shown, words


def test_progress_names_a_file_as_it_is(capsys, tmp_path: Path):
    with progress_line() as said:
        said("[/b] of a", 1, 2)
        said("[/b] of a", 2, 2)
    assert "[/b] of a: done" in capsys.readouterr().err
