"""Commands that make a store: `audioae run`, `audioae demo`, and `audioae configs`, which lists the packaged configs.

Why the config is read before the flow is imported: see `audioae.flows.launch`.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from audioae.cli.show import JsonOption, rows_table, show
from audioae.config_files import find_config, list_configs
from audioae.display import shown
from audioae.errors import ConfigError
from audioae.flows.stages import FLOWS, PIPELINE, SHARDS_HELP, STAGES

if TYPE_CHECKING:
    from audioae.settings import PipelineConfig

CHAIN = ("catalog", "mels", "train", "embed", "index")
DEMO_TIME = "four to ten minutes on two cores"
WIDTH = max(map(len, STAGES)) + 2
RUN_HELP = (
    "Run the pipeline, or one of its stages, on a catalog.\n\n"
    f"`audioae run CONFIG`: {PIPELINE}\n\n"
    "`audioae run STAGE CONFIG`: run one stage on the results of the earlier ones.\n\n"
    "\b\nStages:\n" + "".join(f"  {name:{WIDTH}}{line}\n" for name, line in STAGES.items()) + "\n"
    "A killed run resumes when you run the same command again; Ctrl-C and SIGTERM end it at once and say where it was. "
    "With PREFECT_API_URL the run reports to that server; without, it starts a private server, which may take "
    "run.server_start_s to come up.\n\n"
    "\b\nExamples:\n"
    "  audioae run pipeline --set catalog.source=~/music --set store=~/store\n"
    "  audioae run mine.yaml --set train.steps=500\n"
    "  audioae run similar mine.yaml\n"
    "  audioae run embed mine.yaml --shards 2/8     one of eight jobs that share the work; see docs/scale.md\n"
)


def _complete_target(incomplete: str) -> list[str]:
    return [name for name in (*STAGES, *list_configs()) if name.startswith(incomplete)]


def _complete_config(incomplete: str) -> list[str]:
    return [name for name in list_configs() if name.startswith(incomplete)]


SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY.PATH=VALUE",
        help="Override a key of the config, such as store=/data/store or train.steps=500; repeatable.",
    ),
]


def run(
    stage_or_config: Annotated[
        str,
        typer.Argument(
            metavar="STAGE_OR_CONFIG",
            help="The config of a whole run; or one stage, followed by its CONFIG.",
            autocompletion=_complete_target,
        ),
    ],
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file, or the name of a packaged config (see `audioae configs`).",
            autocompletion=_complete_config,
        ),
    ] = None,
    overrides: SetOption = None,
    shards: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help=SHARDS_HELP,
        ),
    ] = None,
) -> None:
    """Parse `[STAGE] CONFIG`: with one argument, it is the config."""
    if config is None and stage_or_config in STAGES:
        raise ConfigError(f"audioae run {stage_or_config}: no config; wanted audioae run {stage_or_config} CONFIG")
    if config is not None and stage_or_config not in FLOWS:
        raise ConfigError(f"audioae run {stage_or_config}: no such stage; wanted one of {', '.join(STAGES)}")
    flow = "pipeline" if config is None else stage_or_config
    _run_flow(flow, find_config(config or stage_or_config), overrides or [], shards=shards)


def demo(overrides: SetOption = None) -> None:
    """Synthesize a small catalog with planted faults and run the whole pipeline on it.

    It needs no music and no config. It writes into the folder `data` here, unless --set says otherwise.

    \b
    Examples:
      audioae demo
      audioae demo --set store=/tmp/store --set catalog.source=/tmp/catalog
    """
    store = _run_flow("pipeline", find_config("demo"), overrides or [], duration=DEMO_TIME)
    title = _a_title(store)
    print(f'Now try:\n  audioae similar "{title}" --store {store}\n  audioae report --store {store}')


def configs(
    name: Annotated[
        str | None, typer.Argument(help="Print this config instead of the list.", autocompletion=_complete_config)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the configs that come with the package, or print one.

    \b
    Examples:
      audioae configs
      audioae configs pipeline > mine.yaml
    """
    if name is not None:
        path = find_config(name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        show(as_json, {"name": name, "path": path, "text": text}, [text.rstrip("\n")])
        return
    rows = [{"name": name, "description": line} for name, line in list_configs().items()]
    show(as_json, rows, [rows_table(rows, ("name", "description"), "packaged configs")])


def _run_flow(flow: str, path: str, overrides: list[str], duration: str = "", shards: str | None = None) -> str:
    """Check the config, announce the run, run it; returns the store's root."""
    from audioae.flows.launch import read_settings, start, start_share

    config = read_settings(flow, path, overrides)
    if shards is not None:
        start_share(flow, path, overrides, shards)
        return config.store
    if not config.run.log_json:
        print(_plan(flow, config, duration), file=sys.stderr, flush=True)
    start(flow, path, overrides)
    return config.store


def _plan(flow: str, config: "PipelineConfig", duration: str) -> str:
    """What a run is going to do, in one or two sentences."""
    optional = [name for name in ("map", "screen") if getattr(config, name)]
    stages = [*CHAIN, *optional] if flow == "pipeline" else [flow]
    begin = f"Running {', '.join(stages)}; publishing into {config.store}."
    if config.to_synthesize and "catalog" in stages:
        begin = f"Synthesizing {config.to_synthesize.n_tracks} tracks into {config.catalog.source}. {begin}"
    elif config.synth and "catalog" in stages:
        begin = f"{config.catalog.source} is a catalog of its own, so nothing is synthesized. {begin}"
    if not duration:
        return begin
    return f"{begin} With the packaged settings this takes {duration}; an interrupted run resumes when run again."


def _a_title(root: str) -> str:
    """A title that names one embedded track and can be typed."""
    from audioae.store.dataset import Store

    store = Store(root)
    embedded = set(store.read(store.require("embeddings"), ["track_id"])["track_id"].to_pylist())
    tracks = store.read(store.require("tracks"), ["track_id", "title"])
    titles = tracks["title"].to_pylist()
    ids = tracks["track_id"].to_pylist()
    return next(
        (
            title
            for track_id, title in zip(ids, titles, strict=True)
            if track_id in embedded and titles.count(title) == 1 and shown(title) == title
        ),
        ids[0],
    )
