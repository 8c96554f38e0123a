"""Use check dummy as a user would, in a package that has it, and print what happened as JSON.

python -m tests.screening.dummy.walkthrough CONFIG FOLDER
"""

import json
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

import audioae
from audioae.cli import app
from audioae.config import load_config
from audioae.errors import ConfigError
from audioae.screening.run import screen_store
from audioae.settings import PipelineConfig
from tests.screening.made import N, fill_in, make_store

ONLY_DUMMY = ("mislabeled=null", "corrupt=null", "duplicate=null", "dummy.word=t1")


def main(config_path: str, folder: str) -> None:
    store = make_store(f"{folder}/store", N)
    csv_path = Path(folder) / "worst.csv"

    def screen(*settings: str) -> None:
        overrides = [f"screen.{setting}" for setting in (*ONLY_DUMMY, *settings)]
        config = load_config(PipelineConfig, config_path, overrides)
        assert config.screen is not None
        screen_store(store, config.screen, store.require("index"), config.run.local_workers)

    def findings(*arguments: str) -> Any:
        shown = CliRunner().invoke(app, ["findings", *arguments, "--store", store.root, "--json"])
        assert shown.exception is None, shown.output
        return json.loads(shown.stdout)

    screen()
    result = {"package": audioae.__file__, "overview": findings(), "worst": findings("--check", "dummy")["worst"]}
    CliRunner().invoke(app, ["findings", "--check", "dummy", "--out", str(csv_path), "--store", store.root])
    fill_in(csv_path, {"t1": "fine"})
    screen(f"verdicts={csv_path}")
    result["after verdict"] = [row["track_id"] for row in findings("--check", "dummy", "--issues-only")["worst"]]
    try:
        screen("word.of.nothing=1")
    except ConfigError as error:
        result["unknown check"] = str(error)
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
