"""Commands that run flows on a schedule: `audioae deploy` for workers, `audioae schedule` for this machine alone."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from audioae.cli.run import SetOption
from audioae.cli.show import JsonOption, show
from audioae.errors import ConfigError
from audioae.flows.stages import FLOWS

if TYPE_CHECKING:
    from audioae.flows.deploy import Request

FlowArgument = Annotated[str, typer.Argument(metavar="[FLOW]", help=f"What to run: {', '.join(FLOWS)}.")]
CronOption = Annotated[str | None, typer.Option(help='When to run, as five fields of cron, such as "0 3 * * *".')]
ZoneOption = Annotated[str, typer.Option(help="Time zone of --cron, such as Europe/Berlin.")]
ConfigOption = Annotated[str, typer.Option(help="A YAML file, or the name of a packaged config.")]
NameOption = Annotated[str | None, typer.Option(help="Name of the deployment; default: that of the config.")]
IfRunningOption = Annotated[
    Literal["wait", "skip"], typer.Option(help="What a run does while an earlier one of this deployment still runs.")
]
NotifyOption = Annotated[
    str | None, typer.Option(metavar="URL", help="Post to this webhook when a run fails or finds drift.")
]


def deploy(
    flow: FlowArgument = "pipeline",
    pool: Annotated[str, typer.Option(help="The work pool whose workers run it.")] = "audioae",
    cron: CronOption = None,
    timezone: ZoneOption = "UTC",
    config: ConfigOption = "pipeline",
    overrides: SetOption = None,
    name: NameOption = None,
    if_running: IfRunningOption = "wait",
    notify: NotifyOption = None,
    create_pool: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="Make the pool if there is none: process, docker ..."),
    ] = None,
    job_variable: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A job variable of the pool, such as image=NAME; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy a flow on your Prefect server, for the workers of a work pool.

    The deployment names the installed package, so workers need audioae and no checkout. PREFECT_API_URL says where the
    server is. A deployment of the same name is replaced.

    \b
    Examples:
      audioae deploy --pool audioae --create-pool process --cron "0 3 * * *" --config mine.yaml
      audioae deploy screen --pool audioae --config mine.yaml --set screen.verdicts=worst.csv
      audioae deploy --pool boxes --create-pool docker --job-variable image=audioae-pipeline \\
          --set store=s3://bucket/store --set catalog.source=/music
      prefect worker start --pool audioae
    """
    from audioae.flows.deploy import deploy as make
    from audioae.flows.deploy import given_server, parse_variables

    variables = parse_variables(job_variable or [])
    request = _request(flow, config, overrides, name, cron, timezone, if_running, variables)
    with given_server() as url:
        made = make(request, pool, create_pool)
        automation = _notify(made, notify)
    result = {"deployment": made, "pool": pool, "server": url, "next_run": _next(request), "automation": automation}
    lines = [
        f"deployed {made} for the work pool {pool}",
        _when(request),
        *([f"{automation!r} posts to the webhook when a run fails or finds drift"] * bool(notify)),
        f"a worker runs it: prefect worker start --pool {pool}",
        f"at once: prefect deployment run '{made}'",
    ]
    show(as_json, result, lines)


def schedule(
    flow: FlowArgument = "pipeline",
    cron: CronOption = None,
    timezone: ZoneOption = "UTC",
    config: ConfigOption = "pipeline",
    overrides: SetOption = None,
    name: NameOption = None,
    if_running: IfRunningOption = "wait",
    notify: NotifyOption = None,
) -> None:
    """Run a flow on a schedule, here, in one process: no work pool and no worker.

    It still needs a Prefect server (PREFECT_API_URL), which keeps the schedule. It ends with Ctrl-C or SIGTERM, and
    pauses the schedule then.

    \b
    Examples:
      audioae schedule --cron "0 3 * * *" --config mine.yaml
      audioae schedule --cron "*/30 * * * *" --timezone Europe/Berlin --config mine.yaml --set run.log_json=true
    """
    from audioae.flows.deploy import given_server, serve

    request = _request(flow, config, overrides, name, cron, timezone, if_running)
    with given_server() as url:

        def say() -> None:
            print(f"serving {flow}/{request.deployment} of {url}; {_when(request)}", file=sys.stderr, flush=True)

        serve(request, notify, say)


def _request(
    flow: str,
    config: str,
    overrides: list[str] | None,
    name: str | None,
    cron: str | None,
    timezone: str,
    if_running: Literal["wait", "skip"],
    variables: dict[str, Any] | None = None,
) -> "Request":
    """What the options ask for. Raises `ConfigError` if the flow, the config or the schedule is wrong."""
    from audioae.flows.deploy import Request

    if flow not in FLOWS:
        raise ConfigError(f"no flow {flow!r}; wanted one of {', '.join(FLOWS)}")
    request = Request(flow, config, tuple(overrides or ()), name, cron, timezone, if_running, variables or {})
    request.settings()
    _next(request)
    return request


def _notify(deployment: str, url: str | None) -> str | None:
    from audioae.flows.notify import notify

    return notify(deployment, url) if url else None


def _next(request: "Request") -> str | None:
    from audioae.flows.cron import next_runs

    return next_runs(request.cron, request.timezone)[0].isoformat() if request.cron else None


def _when(request: "Request") -> str:
    if not request.cron:
        return "it has no schedule"
    return f"next run: {_next(request)} ({request.cron!r}, {request.timezone})"
