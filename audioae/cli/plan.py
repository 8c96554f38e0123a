"""The command `audioae plan`: what a catalog of any size will take, before anything is run."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from audioae.cli.run import SetOption
from audioae.cli.show import JsonOption, open_store, progress_line, rows_table, show
from audioae.errors import ConfigError

if TYPE_CHECKING:
    from audioae.plan.estimate import Plan
    from audioae.plan.limits import Limit
    from audioae.plan.sample import Subject

FEW = 50  # tracks below which a sample says little
COLUMNS = ("stage", "tracks", "time", "per worker", "disk", "memory", "requests", "cost", "note")


def plan(
    n: Annotated[str, typer.Argument(metavar="N", help="Number of tracks: 500, 20k, 100M.")],
    config: Annotated[
        str | None,
        typer.Argument(metavar="CONFIG", help="A YAML file or the name of a packaged config, as for `audioae run`."),
    ] = None,
    from_store: Annotated[
        str | None,
        typer.Option("--from", metavar="STORE", help="Measure on the tracks of a store, with its settings."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Cores that decode, on all machines together; default: those here.")
    ] = None,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs that train and embed.")] = 0,
    price_per_hour: Annotated[float | None, typer.Option(min=0, help="Price of one worker per hour.")] = None,
    gpu_price_per_hour: Annotated[float | None, typer.Option(min=0, help="Price of one GPU per hour.")] = None,
    seconds: Annotated[float, typer.Option(min=5, help="How long to measure, about.")] = 60.0,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a run on N tracks takes: time, disk, memory, requests, price, the index, and what breaks first.

    It decodes, trains and embeds a random sample of your own files in a temporary store, for about a minute, and
    extrapolates. Nothing is written to your store.

    \b
    Examples:
      audioae plan 100M pipeline --set catalog.source=~/music --workers 256 --gpus 2
      audioae plan 1M --from ~/store --workers 16 --price-per-hour 0.05
    """
    from audioae.plan.estimate import make_plan
    from audioae.plan.limits import first_limit
    from audioae.plan.machine import this_machine
    from audioae.plan.measure import measure
    from audioae.plan.numbers import parse_count
    from audioae.plan.resources import Resources

    size = parse_count(n)
    subject = _subject(config, from_store, overrides or [])
    with progress_line() as progress:
        rates = measure(subject, seconds, progress)
    resources = Resources(workers or rates.cores, gpus, price_per_hour, gpu_price_per_hour)
    plan = make_plan(size, subject.config, rates, resources)
    machine = this_machine(subject.config.store)
    limit = first_limit(lambda one: make_plan(one, subject.config, rates, resources), size, machine)
    show(as_json, _document(plan, limit), [_stages_table(plan), *_lines(plan, subject, limit)])


def _subject(config: str | None, from_store: str | None, overrides: list[str]) -> "Subject":
    from audioae.plan.sample import subject_of_config, subject_of_store

    if (config is None) == (from_store is None):
        raise ConfigError("audioae plan: wanted a CONFIG, whose files are measured, or --from STORE; see --help")
    if from_store is not None:
        if overrides:
            raise ConfigError("audioae plan: --set changes a CONFIG; with --from, the settings are the store's")
        return subject_of_store(open_store(from_store))
    from audioae.config_files import find_config
    from audioae.flows.launch import read_settings

    return subject_of_config(read_settings("catalog", find_config(str(config)), overrides))


def _document(plan: "Plan", limit: "Limit | None") -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "n": plan.n,
        "seconds": plan.seconds,
        "disk_bytes": plan.disk,
        "source_bytes": plan.source,
        "cost": plan.cost,
        "shards": plan.shards,
        "task_runs": plan.task_runs,
        "database_bytes": plan.database,
        "stages": [asdict(stage) for stage in plan.stages],
        "index": {**plan.index._asdict(), "nearest": plan.index.nearest and plan.index.nearest._asdict()},
        "first_limit": asdict(limit) if limit else None,
        "resources": asdict(plan.resources),
        "measured": plan.rates.document(),
    }


def _bases(plan: "Plan") -> list[str]:
    """What the figures of the stages rest on, each once."""
    return list(dict.fromkeys(stage.basis for stage in plan.stages))


def _stages_table(plan: "Plan") -> Any:
    from audioae.plan.numbers import in_bytes, in_count, in_time

    bases = _bases(plan)
    rows = [
        {
            "stage": stage.stage,
            "tracks": in_count(stage.tracks),
            "time": in_time(stage.seconds),
            "per worker": f"{stage.tracks / stage.worker_s:,.4g}/s" if stage.worker_s else "",
            "disk": in_bytes(stage.disk),
            "memory": in_bytes(stage.memory),
            "requests": in_count(stage.requests),
            "cost": "" if stage.cost is None else f"{stage.cost:,.2f}",
            "note": str(bases.index(stage.basis) + 1),
        }
        for stage in plan.stages
    ]
    total = {
        "stage": "in all",
        "time": in_time(plan.seconds),
        "disk": in_bytes(plan.disk),
        "cost": "" if plan.cost is None else f"{plan.cost:,.2f}",
    }
    used = f"{plan.resources.workers:,} workers, {plan.resources.gpus:,} GPUs"
    return rows_table([*rows, total], COLUMNS, f"a run on {plan.n:,} tracks with {used}")


def _lines(plan: "Plan", subject: "Subject", limit: "Limit | None") -> list[str]:
    from audioae.plan.numbers import in_bytes, in_time

    rates, index = plan.rates, plan.index
    lines = [
        *(f"{number}: {basis}" for number, basis in enumerate(_bases(plan), 1)),
        f"Measured for {in_time(rates.seconds)} on {rates.n_tracks:,} of {subject.n_listed:,} tracks of "
        f"{subject.origin}: {rates.clips_per_track:.1f} clips and {in_bytes(rates.source_bytes)} each, "
        f"{1 / rates.decode_s:.1f} tracks/s decoded per worker, {1 / rates.encode_s:,.0f} clips/s embedded "
        f"({rates.device}). Everything beyond these tracks is extrapolated.",
        f"Source: {in_bytes(plan.source)} of audio. Store: {plan.shards:,} parts per dataset.",
        f"Index: {index.factory}, {in_bytes(index.bytes)} ({index.reason}); {in_time(index.build_s)} to build with "
        f"{in_bytes(index.build_bytes)} of memory, {in_bytes(index.serve_bytes)} to serve from memory.",
    ]
    if index.nearest:
        known = index.nearest
        lines.append(
            f"Recall@10 {known.recall:.3f} and {known.single_per_s:,.0f} questions/s per core, one by one: measured at "
            f"{known.n:,} tracks with {known.factory}, not at this size."
        )
    if rates.n_tracks < FEW:
        lines.append(
            f"{rates.n_tracks} tracks are few: the fixed cost of a stage counts as theirs, so times are too long."
        )
    lines.append(
        f"Prefect: {plan.task_runs:,} task runs, about {in_bytes(plan.database)} in the server's database per run."
    )
    if limit is None:
        lines.append("No limit that this plan knows breaks, however large the catalog.")
    else:
        where = "already" if limit.n <= plan.n else "not before"
        lines.append(f"First limit: {where} at {limit.n:,} tracks, {limit.words}.")
    return lines
