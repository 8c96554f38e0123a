"""Deployments: a flow of the installed package with its config, on a Prefect server.

Conventions
-----------
- A deployment names its flow by module (`audioae.flows.pipeline.pipeline`). No code is copied and no repository cloned:
  whoever runs it has audioae installed.
- One run of a deployment at a time. A second one waits for the first, or is cancelled.
- A worker of a process pool runs in the folder where the deployment was made, so that relative paths mean what they
  mean there. Any other pool needs absolute paths.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from audioae.config_files import find_config, list_configs
from audioae.errors import ConfigError
from audioae.flows.launch import read_settings
from audioae.settings import PipelineConfig

if TYPE_CHECKING:
    from prefect.client.schemas.objects import WorkPool
    from prefect.deployments.runner import RunnerDeployment

NO_SERVER = (
    "no Prefect server: set PREFECT_API_URL. `prefect server start` starts one, whose address is "
    "http://127.0.0.1:4200/api"
)


@dataclass(frozen=True)
class Request:
    """What is to be deployed.

    Attributes
    ----------
    flow : str
        A key of `stages.FLOWS`.
    config : str
        A YAML file, or the name of a packaged config.
    overrides : tuple of str
    name : str or None
        Of the deployment; None: that of the config.
    cron, timezone : str
        When to run; without cron, only on request.
    if_running : str
        What becomes of a run while another one runs.
    """

    flow: str
    config: str
    overrides: tuple[str, ...] = ()
    name: str | None = None
    cron: str | None = None
    timezone: str = "UTC"
    if_running: Literal["wait", "skip"] = "wait"
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def deployment(self) -> str:
        return self.name or Path(self.config).stem

    def settings(self) -> PipelineConfig:
        """The config, checked as before a run."""
        return read_settings(self.flow, find_config(self.config), self.overrides)


@contextmanager
def given_server() -> Iterator[str]:
    """Within this context, Prefect's client talks to the server of PREFECT_API_URL; gives its address.

    Raises
    ------
    ConfigError
        If it is not set, or no server answers there.
    """
    from prefect.settings import PREFECT_API_URL

    from audioae.flows.server import require_answer

    url = PREFECT_API_URL.value()
    if not url:
        raise ConfigError(NO_SERVER)
    require_answer(url)
    yield url


def deploy(request: Request, pool_name: str, create_pool: str | None = None) -> str:
    """Make a deployment for the workers of a work pool, or replace the one of this name; returns its full name.

    Parameters
    ----------
    request : Request
    pool_name : str
    create_pool : str, optional
        Type of the pool (process, docker ...), if it is to be made where there is none.

    Raises
    ------
    ConfigError
        If the config is wrong, there is no such pool, or the pool cannot run the deployment.
    """
    settings = request.settings()
    pool = find_pool(pool_name, create_pool)
    variables = _variables(request, pool, settings)
    deployment = make_deployment(request, variables)
    deployment.apply(work_pool_name=pool.name)
    return deployment.full_name


def serve(request: Request, url: str | None = None, on_start: Callable[[], None] = lambda: None) -> None:
    """Make a deployment and run it here, in processes of this one, until this process ends.

    Its schedule is paused at the end, so that no runs pile up while nobody serves it.

    Parameters
    ----------
    request : Request
    url : str, optional
        The webhook of `notify`.
    on_start : function, optional
        Called when the server knows the deployment.
    """
    from prefect import serve as serve_here

    from audioae.flows.notify import notify

    deployment = make_deployment(request)
    deployment.apply()
    if url:
        notify(deployment.full_name, url)
    on_start()
    serve_here(deployment, print_starting_message=False)


def make_deployment(request: Request, variables: Mapping[str, Any] | None = None) -> "RunnerDeployment":
    """The deployment, which the server does not know yet."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    waits = request.if_running == "wait"
    strategy = ConcurrencyLimitStrategy.ENQUEUE if waits else ConcurrencyLimitStrategy.CANCEL_NEW
    flow = getattr(importlib.import_module(f"audioae.flows.{request.flow}"), request.flow)
    return flow.to_deployment(
        name=request.deployment,
        schedule=Cron(request.cron, timezone=request.timezone) if request.cron else None,
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=strategy),
        parameters={"config_path": _config_path(request.config), "overrides": [*request.overrides]},
        tags=["audioae", f"config:{Path(request.config).stem}"],
        job_variables=dict(variables or {}),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def find_pool(name: str, create: str | None = None) -> "WorkPool":
    """The work pool `name`. Raises `ConfigError` if there is none, unless it is to be made with the type `create`."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            return client.read_work_pool(name)
        except ObjectNotFound:
            pools = [pool.name for pool in client.read_work_pools()]
        if create is None:
            there = f"there are: {', '.join(pools)}" if pools else "there is none yet"
            raise ConfigError(
                f"--pool {name}: no such work pool ({there}); add --create-pool process, or run "
                f"`prefect work-pool create {name} --type process`"
            )
        template = _base_job_template(client.read_worker_metadata(), create)
        return client.create_work_pool(WorkPoolCreate(name=name, type=create, base_job_template=template))


def _base_job_template(metadata: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What Prefect's server knows about a type of pool."""
    types = {worker["type"]: worker for collection in metadata.values() for worker in collection.values()}
    if kind not in types:
        raise ConfigError(f"--create-pool {kind}: no such type of work pool; wanted one of {', '.join(sorted(types))}")
    return types[kind]["default_base_job_configuration"]


def _variables(request: Request, pool: "WorkPool", settings: PipelineConfig) -> dict[str, Any]:
    """The job variables of the deployment, which the pool's template must know."""
    variables = dict(request.variables)
    if pool.type == "process":
        variables.setdefault("working_dir", str(Path.cwd()))
    else:
        _require_absolute(pool, settings, request)
    known = pool.base_job_template.get("variables", {}).get("properties", {})
    unknown = [name for name in variables if name not in known]
    if unknown:
        raise ConfigError(
            f"the work pool {pool.name} (type {pool.type}) has no job variable {unknown[0]!r}; it has: "
            f"{', '.join(sorted(known))}"
        )
    return variables


def _require_absolute(pool: "WorkPool", settings: PipelineConfig, request: Request) -> None:
    """Raise `ConfigError` for a path that means something else, or nothing, on the machine of a worker."""
    paths = {"store": settings.store, "catalog.source": settings.catalog.source}
    if request.config not in list_configs():
        paths["--config"] = request.config
    for key, path in paths.items():
        if "://" not in path and not Path(path).is_absolute():
            raise ConfigError(
                f"{key}: got the relative path {path!r}; the work pool {pool.name} (type {pool.type}) runs elsewhere: "
                "wanted an absolute path there, or an address such as s3://bucket/prefix"
            )


def _config_path(config: str) -> str:
    """The name of a packaged config, which whoever has audioae has; of a file its absolute path."""
    return config if config in list_configs() else str(Path(find_config(config)).absolute())


def parse_variables(pairs: Sequence[str]) -> dict[str, Any]:
    """Job variables from `KEY=VALUE`; a value is JSON where it can be.

    >>> parse_variables(["image=audioae-pipeline:1", 'env={"TZ": "UTC"}'])
    {'image': 'audioae-pipeline:1', 'env': {'TZ': 'UTC'}}
    """
    import json

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigError(f"--job-variable: got {pair!r}; wanted KEY=VALUE, such as image=audioae-pipeline")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
