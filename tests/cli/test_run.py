"""`audioae run`, `demo` and `configs`: which flow runs on which config, and what is said before it starts."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audioae import __version__, cli
from audioae.cli import app
from audioae.cli import run as run_module
from audioae.config_files import FOLDER, list_configs
from audioae.flows import launch
from audioae.flows.stages import STAGES

Started = list[tuple[str, str, list[str]]]


@pytest.fixture
def started(monkeypatch) -> Started:
    """The flows that would have run, in place of running them."""
    calls: Started = []

    def start(flow: str, path: str, overrides: list[str]) -> str:
        calls.append((flow, path, overrides))
        return "index@0123"

    monkeypatch.setattr(launch, "start", start)
    return calls


def audioae(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None, repr(result.exception)
    return result.output


def error_of(monkeypatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["audioae", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return str(ended.value.code)


def test_one_argument_is_the_config_of_the_whole_pipeline(started: Started, tmp_path: Path):
    shown = audioae("run", "tiny", "--set", f"store={tmp_path}", "--set", "train.steps=3")
    assert started == [("pipeline", str(FOLDER / "tiny.yaml"), [f"store={tmp_path}", "train.steps=3"])]
    plan = (
        "Synthesizing 24 tracks into data/tiny-catalog. "
        "Running catalog, mels, train, embed, index, map, screen; publishing"
    )
    assert f"{plan} into {tmp_path}." in shown


def test_a_catalog_of_ones_own_takes_the_place_of_the_synthesized_one(started: Started, tmp_path: Path):
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "a.FLAC").touch()
    shown = audioae("run", "tiny", "--set", f"catalog.source={tmp_path}")
    assert f"{tmp_path} is a catalog of its own, so nothing is synthesized. Running catalog, mels" in shown
    assert "Synthesizing" not in shown


def test_two_arguments_are_a_stage_and_its_config(started: Started, tmp_path: Path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("catalog: {source: music}\nstore: there\n")
    assert "Running similar; publishing into there." in audioae("run", "similar", str(mine))
    assert started == [("similar", str(mine), [])]
    audioae("run", "pipeline", "tiny")
    assert started[1][:2] == ("pipeline", str(FOLDER / "tiny.yaml"))


def test_a_config_without_screening_or_map_omits_that_stage_from_the_plan(started: Started):
    plan = "Running catalog, mels, train, embed, index"
    assert f"{plan}, map; publishing" in audioae("run", "tiny", "--set", "screen=null")
    assert f"{plan}; publishing" in audioae("run", "tiny", "--set", "screen=null", "--set", "map=null")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "similar"), "ConfigError: audioae run similar: no config; wanted audioae run similar CONFIG"),
        (("run", "smilar", "tiny"), "ConfigError: audioae run smilar: no such stage; wanted one of catalog, mels"),
        (("run", "dmeo"), "ConfigError: dmeo: no such config. Did you mean 'demo'? Expected a YAML file, or one of"),
        (("run", "tiny", "--set", "trian.steps=3"), "trian: unknown key; did you mean 'train'?"),
        (("demo", "--set", "train.steps"), "ConfigError: --set 'train.steps': wanted key.path=value"),
        (("configs", "dmeo"), "ConfigError: dmeo: no such config"),
    ],
)
def test_a_wrong_command_prints_one_message_and_starts_nothing(monkeypatch, started: Started, arguments, message):
    assert message in error_of(monkeypatch, *arguments)
    assert started == []


def test_demo_says_what_it_does_and_how_long_it_takes_and_what_to_try_next(started: Started, chain, monkeypatch):
    store, _ = chain
    shown = audioae("demo", "--set", f"store={store.root}")
    assert started == [("pipeline", str(FOLDER / "demo.yaml"), [f"store={store.root}"])]
    assert shown.startswith("Synthesizing 176 tracks into data/demo-catalog. Running catalog, mels, train")
    assert run_module.DEMO_TIME in shown
    title = store.read(store.require("tracks"))["title"].to_pylist()[0]
    assert f'audioae similar "{title}" --store {store.root}' in shown


def test_lists_and_prints_configs():
    listed = json.loads(audioae("configs", "--json"))
    assert {row["name"]: row["description"] for row in listed} == list_configs()
    assert audioae("configs", "pipeline") == (FOLDER / "pipeline.yaml").read_text()


def test_help_names_every_stage_and_version_is_the_packages():
    assert all(f"  {name} " in audioae("run", "--help") for name in STAGES)
    assert audioae("--version") == f"audioae {__version__}\n"


def test_arguments_complete_to_stages_and_configs():
    assert run_module._complete_target("sim") == ["similar"]
    assert run_module._complete_target("d") == ["demo"]
    assert "model/vae" in run_module._complete_config("model/")
