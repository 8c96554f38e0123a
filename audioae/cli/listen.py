"""The commands `audioae listen ...`: whether people hear the similarities that the embedding claims."""

from pathlib import Path
from typing import Annotated, Any

import typer

from audioae.cli.show import JsonOption, StoreOption, local_workers, open_library, progress_line, rows_table, show
from audioae.errors import StoreError
from audioae.output import write_whole

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A listening test: which of two tracks sounds more like a third, to people and to the embedding.",
)

EmbeddingsOption = Annotated[
    str | None, typer.Option(help="A version such as embeddings@1a2b...; default: the current one.")
]


@app.command("make")
def make(
    out: Annotated[str, typer.Option("--out", "-o", help="The HTML file to write.")] = "listen.html",
    pairs: Annotated[int, typer.Option(min=3, max=500, help="Number of triplets.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws another test.")] = 0,
    embeddings: EmbeddingsOption = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Write a listening test: one HTML file that needs no network, for as many people as you like.

    Each question plays a track X and two candidates, A and B: which sounds more like X? Trials are easy, medium and
    hard for the embedding. On top come catch trials (15 %), where a candidate is another excerpt of X's own track, and
    trials that are repeated later (20 %). People save their answers as a file; `audioae listen score` reads it.

    \b
    Example:
      audioae listen make --pairs 20 -o listen.html
    """
    from audioae.listening.make import make_test
    from audioae.pages.listening_page import render_listening

    with progress_line() as progress:
        library = open_library(store, embeddings)
        test = make_test(library, pairs, seed, workers=local_workers(), progress=progress)
    page = render_listening(test.test, test.store, test.embeddings, test.made, test.trials, test.clips).encode()
    try:
        write_whole(Path(out), page)
    except OSError as error:
        raise StoreError(f"--out {out}: cannot be written ({error.strerror}); name a file in a folder") from error
    result = {"path": out, "bytes": len(page), "test": test.test, "embeddings": test.embeddings}
    result |= {"trials": len(test.trials), "omitted": list(test.omitted)}
    notes = [f"left out: {sentence}" for sentence in test.omitted]
    show(as_json, result, [*notes, f"written: {out} ({len(test.trials)} trials, {len(page) / 1e6:.1f} MB)"])


@app.command("score")
def score(
    answers: Annotated[list[str], typer.Argument(help="Files of answers that the page saved, one per person.")],
    embeddings: EmbeddingsOption = None,
    baseline: Annotated[bool, typer.Option(help="Score MFCC of the same tracks too.")] = True,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Report how often people choose the track that the embedding puts closer: .5 is chance.

    Intervals are 95 %. "too few answers to tell" means that the answers fit chance as well as a clear agreement.

    \b
    Example:
      audioae listen score answers-*.json
    """
    from audioae.listening.answers import read_answers
    from audioae.listening.scores import score_answers

    files = read_answers(answers)
    with progress_line() as progress:
        library = open_library(store, embeddings)
        workers = local_workers()
        result = score_answers(library, files, with_baseline=baseline, workers=workers, progress=progress)
    show(as_json, result, _lines(result))


def _lines(result: dict[str, Any]) -> list[Any]:
    agreement = [{**row, "95 % interval": _interval(row)} for row in result["agreement"]]
    columns = ("vectors", "difficulty", "n", "value", "95 % interval", "verdict")
    tables = [rows_table(agreement, columns, f"agreement with people: {result['embeddings']} is the model")]
    if result["compared"]:
        compared = [{**row, "95 % interval": _interval(row)} for row in result["compared"]]
        columns = ("against", "n", "value", "95 % interval", "agrees")
        tables.append(rows_table(compared, columns, "the model's agreement minus a baseline's"))
    people = [
        {
            **row,
            "answered": f"{row['answers']} of {row['trials']}",
            "catch trials failed": f"{row['catch_failed']} of {row['catch']}",
            "same when repeated": f"{row['same_again']} of {row['repeated']}",
        }
        for row in result["listeners"]
    ]
    columns = ("listener", "answered", "catch trials failed", "same when repeated", "agreement")
    tables.append(rows_table(people, columns, "listeners"))
    figures = {"self-consistency": result["consistency"], "agreement between listeners": result["between_listeners"]}
    lines = [f"{name}: {row['value']:.3f} ({_interval(row)}, n = {row['n']})" for name, row in figures.items() if row]
    return [*tables, *lines, *result["sentences"], *(f"left out: {sentence}" for sentence in result["omitted"])]


def _interval(row: dict[str, Any]) -> str:
    return "too few to tell" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
