"""Start a flow as a command: `audioae run` and `python -m flows.<stage>`.

Conventions
-----------
- `start` reads the config and checks the paths in it before it imports Prefect or a stage.

Why: Prefect and PyTorch take 20 s of CPU to import. A mistyped key must not cost that.
"""

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

from audioae.catalog.sources import require_source
from audioae.config import load_config
from audioae.config_files import find_config
from audioae.errors import AudioaeError, ConfigError
from audioae.extras import explain_missing
from audioae.flows.position import POSITION
from audioae.flows.sharded import SHARDED, sharded_stage
from audioae.flows.shares import run_share, share_of_stage
from audioae.flows.stages import FLOWS, SHARDS_HELP
from audioae.flows.stopping import ends_at_a_signal, in_a_thread
from audioae.settings import PipelineConfig

Section = TypeVar("Section")

ADVICE = {
    "map": "give it a section, such as map: {}",
    "screen": "give it a section, such as screen: {}",
    "recommend": "add a play log, --set recommend.plays=plays.parquet (or .csv)",
}


def read_settings(flow: str, config_path: str, overrides: Sequence[str] | None) -> PipelineConfig:
    """Read the config of `flow`, and check that what only this flow needs is there.

    Parameters
    ----------
    flow : str
        A key of `stages.FLOWS`.
    config_path : str
        A YAML file, or the name of a packaged config.
    overrides : sequence of str
        `key.path=value`.

    Raises
    ------
    ConfigError
        If the config is wrong, a section that the flow needs is missing, or a path in it does not exist.
    """
    config = load_config(PipelineConfig, find_config(config_path), overrides or ())
    if flow in ("pipeline", "catalog") and config.to_synthesize is None:
        require_source(config.catalog)
    if flow in ("map", "screen"):
        require_section(getattr(config, flow), flow, config_path)
    if flow == "recommend":
        plays = require_section(config.recommend, "recommend", config_path).plays
        if not Path(plays).is_file():
            raise ConfigError(f"recommend.plays: file not found: {plays}. Expected a CSV or Parquet file.")
    return config


def require_section(section: Section | None, name: str, config_path: str) -> Section:
    """The section of a config that a flow cannot do without. Raises `ConfigError` where it is null."""
    if section is None:
        raise ConfigError(f"{config_path}: {name} is null; {ADVICE[name]}")
    return section


def start(flow: str, config_path: str, overrides: Sequence[str] = ()) -> str:
    """Run a flow (a key of `stages.FLOWS`) and return the version that it published, as `name@version`.

    SIGINT and SIGTERM end the process (`flows.stopping`).

    Raises
    ------
    ConfigError
        If the config is wrong (`read_settings`), or there is no Prefect server to report to (`flows.server`).
    """
    config = read_settings(flow, config_path, overrides)
    POSITION.begin(flow)
    with ends_at_a_signal():
        from audioae.flows.logs import errors_as_json
        from audioae.flows.server import prefect_server

        for name in ("prefect.flow_runs", "prefect.task_runs"):
            logging.getLogger(name).addFilter(POSITION)
            logging.getLogger(name).addFilter(_is_wanted)
        run = getattr(importlib.import_module(f"audioae.flows.{flow}"), flow)
        with errors_as_json() if config.run.log_json else nullcontext(), prefect_server(config.run.server_start_s):
            return in_a_thread(run, config_path, list(overrides))


def start_share(flow: str, config_path: str, overrides: Sequence[str], shards: str) -> str | None:
    """Compute one share of a stage without Prefect; returns the version if this published it (`flows.shares`).

    SIGINT and SIGTERM end the process (`flows.stopping`).

    Raises
    ------
    ConfigError
        If the config is wrong (`read_settings`), or `shards` is (`shares.share_of_stage`).
    StoreError
        If an input of the stage was never published.
    """
    config = read_settings(flow, config_path, overrides)
    share = share_of_stage(flow, config, shards)
    POSITION.begin(flow)
    logging.basicConfig(format="%(asctime)s | %(levelname)-7s | %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("audioae").setLevel(logging.INFO)
    with ends_at_a_signal():
        ref = in_a_thread(run_share, sharded_stage(flow, config), share)
    return str(ref) if ref else None


def main(flow: str) -> None:
    """Run `flow` as a command: `python -m flows.<flow> CONFIG [--set key.path=value ...] [--shards i/n]`."""
    parser = argparse.ArgumentParser(
        prog=f"python -m flows.{flow}",
        description=FLOWS[flow],
        epilog="With PREFECT_API_URL the run reports to that server; without, it starts a private server.",
    )
    parser.add_argument(
        "config", help="YAML file, such as configs/pipeline.yaml, or the name of a packaged config, such as pipeline"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="override any config key, for example --set store=/data/store --set train.steps=500; repeatable",
    )
    if flow in SHARDED:
        parser.add_argument("--shards", metavar="I/N", help=SHARDS_HELP)
    arguments = parser.parse_args()
    try:
        if flow in SHARDED and arguments.shards:
            start_share(flow, arguments.config, arguments.set, arguments.shards)
        else:
            start(flow, arguments.config, arguments.set)
    except AudioaeError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except ModuleNotFoundError as error:
        if not (message := explain_missing(error, parser.prog)):
            raise
        sys.exit(message)


def _is_wanted(record: logging.LogRecord) -> bool:
    """Drop Prefect's tracebacks of errors that the command explains in one message, and links to a UI that is off."""
    from audioae.flows.server import is_private

    ours = record.exc_info and isinstance(record.exc_info[1], AudioaeError)
    return not (ours or (is_private() and record.getMessage().startswith("View at http")))
