"""Commands for researchers: how good are embeddings, and which model makes better ones."""

import json
from pathlib import Path
from typing import Annotated

import typer

from audioae.cli.show import (
    JsonOption,
    StoreOption,
    TruthOption,
    local_workers,
    open_library,
    open_store,
    reporting,
    rows_table,
    show,
)
from audioae.errors import EvaluationError

FILES = (".parquet", ".npz")
MaxTracksOption = Annotated[int, typer.Option(min=2, help="Evaluate on at most so many tracks, evenly taken.")]


def evaluate(
    embeddings: Annotated[
        str | None,
        typer.Argument(help="A version such as embeddings@1a2b.., or a .parquet or .npz of vectors. Default: current."),
    ] = None,
    truth: TruthOption = None,
    against: Annotated[
        list[str] | None,
        typer.Option(help="A .parquet or .npz of other vectors of the same tracks, to compare with; repeatable."),
    ] = None,
    max_tracks: MaxTracksOption = 2000,
    stability_tracks: Annotated[
        int, typer.Option(min=0, help="Tracks to re-encode, shift and filter for the stability certificate; 0: none.")
    ] = 32,
    out: Annotated[str, typer.Option(help="Folder for evaluation.json and evaluation.html.")] = "evaluation",
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """How good are these embeddings? Retrieval, probes, hubness, stability, reconstruction, beside baselines.

    Every figure has a 95 % interval; a difference inside it is printed as none. Writes evaluation.json, and
    evaluation.html to look at and listen to: one file that needs no network.

    A file of vectors has columns id, vector and, as far as known, label, artist, album, fold, title.

    Examples: `audioae evaluate`, `audioae evaluate --truth truth.csv`, `audioae evaluate mine.parquet`,
    `audioae evaluate --against theirs.npz`
    """
    from audioae.evaluation.run import evaluate_file, evaluate_store
    from audioae.metrics.document import metric_table, stability_table
    from audioae.pages.evaluation_page import render_page

    folder = _folder(out)
    if embeddings is not None and embeddings.lower().endswith(FILES):
        result = evaluate_file(embeddings, against=against or (), max_tracks=max_tracks)
    else:
        with reporting() as report:
            result = evaluate_store(
                open_library(store, embeddings),
                truth=truth,
                against=against or (),
                max_tracks=max_tracks,
                stability_tracks=stability_tracks,
                workers=local_workers(),
                report=report,
            )
    (folder / "evaluation.json").write_text(json.dumps(result.document, indent=1))
    (folder / "evaluation.html").write_text(render_page(result.page), encoding="utf-8")
    document = result.document
    tables = [metric_table(document)]
    if document.get("reconstruction"):
        columns = ("", "value", "95 % interval")
        rows = [_figure_row(metric["key"], metric["subjects"]) for metric in document["reconstruction"]]
        tables.append(rows_table(rows, columns, "reconstruction (lower is better)"))
    if document.get("stability"):
        tables.append(stability_table(document["stability"]))
    hubs = [{**hub, f"in top {document['k']} of": hub["k_occurrence"]} for hub in document["hubs"]]
    columns = (f"in top {document['k']} of", "track_id", "title", "artist", "label")
    tables.append(rows_table(hubs, columns, "biggest hubs"))
    lines = [*document.get("notes", []), *(f"left out: {sentence}" for sentence in document["omitted"])]
    show(as_json, document, [*tables, *lines, f"written: {folder / 'evaluation.html'}, {folder / 'evaluation.json'}"])


def compare(
    models: Annotated[list[str], typer.Argument(help="Model configs, such as configs/model/*.yaml; the first leads.")],
    vary: Annotated[
        list[str] | None,
        typer.Option(help="One more variant: the first model with KEY.PATH=VALUE (several, parted by ;). Repeatable."),
    ] = None,
    budget: Annotated[str, typer.Option(help="Of each training: a time (5m, 90s, 1h) or steps (700steps).")] = "5m",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings per model.")] = 2,
    inductive: Annotated[
        bool, typer.Option("--inductive", help="A model per fold of the catalog, trained without its tracks.")
    ] = False,
    truth: TruthOption = None,
    max_tracks: MaxTracksOption = 2000,
    out: Annotated[str, typer.Option(help="Folder for comparison.json and what was trained so far.")] = "comparison",
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Which model makes the better embeddings? Trains each under the same budget, and asks all the same questions.

    Every model is trained on the store's clips, without labels, and nothing is published. A comparison that was
    interrupted goes on where it was.

    Examples: `audioae compare configs/model/*.yaml --budget 5m --seeds 2`,
    `audioae compare configs/model/vqvae_consistency.yaml --vary head.modulation=0 --vary "augment.eq_db=0;
    augment.roll_mels=0"`
    """
    from audioae.config import load_config
    from audioae.evaluation.compare_models import compare_models, parse_budget
    from audioae.metrics.document import comparison_table
    from audioae.model.config import ModelConfig
    from audioae.model.train_config import TrainConfig

    names = {Path(path).stem: path for path in models}
    if len(names) < len(models):
        raise EvaluationError(f"models: two of {', '.join(models)} have the same file name; rename one")
    configs = {name: load_config(ModelConfig, path, []) for name, path in names.items()}
    for overrides in vary or ():
        settings = [setting.strip() for setting in overrides.split(";")]
        configs[overrides] = load_config(ModelConfig, models[0], settings)
    folder = _folder(out)
    with reporting() as report:
        document = compare_models(
            open_store(store),
            configs,
            TrainConfig(**parse_budget(budget)),
            seeds=seeds,
            inductive=inductive,
            truth=truth,
            max_tracks=max_tracks,
            folder=folder / "trained",
            workers=local_workers(),
            report=report,
        )
    (folder / "comparison.json").write_text(json.dumps(document, indent=1))
    runs = [{**run, **run["held_out"]} for run in document["runs"]]
    columns = ("model", "seed", *(["fold"] if inductive else []), "steps", "seconds", "clips_per_second", "mse")
    lines = [f"left out: {sentence}" for sentence in document["omitted"]]
    tables = [comparison_table(document), rows_table(runs, columns, "trainings")]
    show(as_json, document, [*tables, *lines, f"written: {folder / 'comparison.json'}"])


def _folder(out: str) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(f"--out {out}: cannot be made ({error}); name a folder") from error
    return folder


def _figure_row(key: str, subjects: dict) -> dict:
    entry = next(iter(subjects.values()))
    return {"": key, "value": entry["value"], "95 % interval": f"{entry['low']:.3f} to {entry['high']:.3f}"}
