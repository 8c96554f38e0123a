"""The command `audioae`: make a store, and ask it questions. Every command has --help; every query has --json.

Conventions
-----------
- Heavy packages are imported inside the commands, so that `audioae --help` answers at once. For the same reason help is
  plain text: rich's would take longer to draw than everything else together.
- What is wrong is one message on stderr and exit status 1.
"""

import sys
from typing import Annotated

import typer

from audioae import __version__
from audioae.cli import (
    aliases,
    compare_versions,
    deploy,
    doctor,
    evaluate,
    files,
    findings,
    fsck,
    latent,
    listen,
    plan,
    playlist,
    recommend,
    report,
    run,
    runs,
    serve,
    similar,
    store,
    verdicts,
)
from audioae.cli.show import safe
from audioae.errors import AudioaeError
from audioae.extras import explain_missing

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Make a music catalog searchable by sound.\n\n"
    "`audioae run CONFIG` turns a folder of music into a store; `audioae demo` tries that on a synthesized catalog. "
    "The other commands ask the store.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"audioae {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command("run", help=run.RUN_HELP, no_args_is_help=True)(run.run)
app.command("demo")(run.demo)
app.command("deploy")(deploy.deploy)
app.command("schedule")(deploy.schedule)
app.command("configs")(run.configs)
app.command("doctor")(doctor.doctor)
app.command("plan")(plan.plan)
app.command("similar")(similar.similar)
app.command("playlist")(playlist.playlist)
app.add_typer(recommend.app, name="recommend")
app.command("findings")(findings.findings)
app.add_typer(verdicts.app, name="verdicts")
app.command("coverage")(store.coverage)
app.command("runs")(runs.runs)
app.command("explain")(store.explain)
app.command("report")(report.report)
app.command("latent")(latent.latent)
app.add_typer(listen.app, name="listen")
app.command("serve")(serve.serve)
app.command("serve-key")(serve.serve_key)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(evaluate.compare)
app.command("compare-versions")(compare_versions.compare_versions)
app.add_typer(store.export_app, name="export")
app.add_typer(aliases.app, name="aliases")
app.command("files")(files.files)
app.command("versions")(store.versions)
app.command("rollback")(store.rollback)
app.command("prune")(store.prune)
app.command("verify")(fsck.verify)
app.command("fsck")(fsck.fsck)


def main() -> None:
    """Run the command."""
    try:
        app()
    except AudioaeError as error:
        sys.exit(safe(f"{type(error).__name__}: {error}"))
    except ModuleNotFoundError as error:
        command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        if not (message := explain_missing(error, f"audioae {command}".strip())):
            raise
        sys.exit(message)
