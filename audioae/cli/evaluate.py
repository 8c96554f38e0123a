"""Commands for researchers: how good the embeddings are, and which model makes better ones."""

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
    progress_line,
    rows_table,
    show,
)
from audioae.config_files import find_config
from audioae.errors import EvaluationError
from audioae.output import write_whole

FILES = (".parquet", ".npz")
MaxTracksOption = Annotated[
    int, typer.Option(min=2, help="Maximum number of tracks to evaluate on, evenly spaced over the catalog.")
]


def evaluate(
    embeddings: Annotated[
        str | None,
        typer.Argument(
            help="A version such as embeddings@1a2b..., or a .parquet or .npz of vectors. Default: the current version."
        ),
    ] = None,
    truth: TruthOption = None,
    against: Annotated[
        list[str] | None,
        typer.Option(help="A .parquet or .npz with other vectors of the same tracks, to compare with; repeatable."),
    ] = None,
    max_tracks: MaxTracksOption = 2000,
    robustness_tracks: Annotated[
        int,
        typer.Option(min=0, help="Number of tracks to re-encode, shift and filter for the robustness test; 0: none."),
    ] = 32,
    out: Annotated[str, typer.Option(help="Folder for evaluation.json and evaluation.html.")] = "evaluation",
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Measure how good embeddings are: retrieval, probes, hubness, robustness, reconstruction, against baselines.

    Figures have 95 % intervals, and a difference inside its own counts as none; fewer than 5 artists are too few to
    tell. Writes evaluation.json, and evaluation.html to look at and listen to: one file that needs no network.

    A file of vectors has the columns id and vector, and optionally label, artist, album, fold and title.

    \b
    Examples:
      audioae evaluate
      audioae evaluate --truth truth.csv
      audioae evaluate mine.parquet
      audioae evaluate --against theirs.npz
    """
    from audioae.evaluation.run import evaluate_file, evaluate_store
    from audioae.metrics.document import interval_notes, metric_table, robustness_table
    from audioae.pages.evaluation_page import render_page
    from audioae.pages.metric_sections import carrier_row

    folder = _folder(out)
    if embeddings is not None and embeddings.lower().endswith(FILES):
        result = evaluate_file(embeddings, against=against or (), max_tracks=max_tracks)
    else:
        with progress_line() as progress:
            result = evaluate_store(
                open_library(store, embeddings),
                truth=truth,
                against=against or (),
                max_tracks=max_tracks,
                robustness_tracks=robustness_tracks,
                workers=local_workers(),
                progress=progress,
            )
    write_whole(folder / "evaluation.json", json.dumps(result.document, indent=1))
    write_whole(folder / "evaluation.html", render_page(result.page))
    document = result.document
    tables = [metric_table(document)]
    if document.get("reconstruction"):
        columns = ("", "value", "95 % interval")
        rows = [_figure_row(metric["key"], metric["results"]) for metric in document["reconstruction"]]
        tables.append(rows_table(rows, columns, "reconstruction (lower is better)"))
    if document.get("robustness"):
        tables.append(robustness_table(document["robustness"]))
    if document["carriers"]:
        rows = [carrier_row(carrier) for carrier in document["carriers"]]
        tables.append(rows_table(rows, tuple(rows[0]), "what carries each number"))
    hubs = [{**hub, f"in top {document['k']} of": hub["k_occurrence"]} for hub in document["hubs"]]
    columns = (f"in top {document['k']} of", "track_id", "title", "artist", "label")
    tables.append(rows_table(hubs, columns, "biggest hubs"))
    notes = [*document.get("notes", []), *interval_notes([*document["metrics"], *document.get("reconstruction", [])])]
    lines = [*notes, *(f"left out: {sentence}" for sentence in document["omitted"])]
    show(as_json, document, [*tables, *lines, f"written: {folder / 'evaluation.html'}, {folder / 'evaluation.json'}"])


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Model configs: YAML files, or names such as vae (see `audioae configs`). The first is the reference."
        ),
    ],
    vary: Annotated[
        list[str] | None,
        typer.Option(help="Add a variant: the first model with KEY.PATH=VALUE (separate several with ;). Repeatable."),
    ] = None,
    budget: Annotated[
        str, typer.Option(help="Training budget per model: a duration (5m, 90s, 1h) or a number of steps (700steps).")
    ] = "5m",
    seeds: Annotated[int, typer.Option(min=1, help="Number of trainings per model.")] = 2,
    inductive: Annotated[
        bool,
        typer.Option("--inductive", help="Train one model per fold of the catalog, without the tracks of that fold."),
    ] = False,
    truth: TruthOption = None,
    max_tracks: MaxTracksOption = 2000,
    out: Annotated[str, typer.Option(help="Folder for comparison.json and the models trained so far.")] = "comparison",
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Compare models: train each with the same budget, and measure the embeddings of all in the same way.

    Every model is trained on the store's clips, without labels. Nothing is published. An interrupted comparison resumes
    when you run the same command again.

    \b
    Examples:
      audioae compare vqvae_consistency vqvae vae --budget 5m --seeds 2
      audioae compare configs/model/*.yaml
      audioae compare vqvae_consistency --vary head.modulation=0 --vary "augment.eq_db=0; augment.roll_mels=0"
      audioae compare vqvae_consistency --vary terms.2.temperature=0.2
    """
    from audioae.config import load_config
    from audioae.evaluation.compare_models import compare_models, parse_budget
    from audioae.metrics.document import comparison_table, interval_notes
    from audioae.model.config import ModelConfig
    from audioae.model.train_config import TrainConfig

    paths = [find_config(model, "model") for model in models]
    names = {Path(path).stem: path for path in paths}
    if len(names) < len(models):
        raise EvaluationError(f"models: two of {', '.join(models)} have the same file name; rename one")
    configs = {name: load_config(ModelConfig, path, []) for name, path in names.items()}
    for overrides in vary or ():
        settings = [setting.strip() for setting in overrides.split(";")]
        configs[overrides] = load_config(ModelConfig, paths[0], settings)
    folder = _folder(out)
    with progress_line() as progress:
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
            progress=progress,
        )
    write_whole(folder / "comparison.json", json.dumps(document, indent=1))
    runs = [{**run, **run["held_out"]} for run in document["runs"]]
    columns = ("model", "seed", *(["fold"] if inductive else []), "steps", "seconds", "clips_per_second", "mse")
    lines = [*interval_notes(document["metrics"]), *(f"left out: {sentence}" for sentence in document["omitted"])]
    tables = [comparison_table(document), rows_table(runs, columns, "trainings")]
    show(as_json, document, [*tables, *lines, f"written: {folder / 'comparison.json'}"])


def _folder(out: str) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(f"--out {out}: cannot be created ({error}); choose another folder") from error
    return folder


def _figure_row(key: str, results: dict) -> dict:
    from audioae.metrics.document import interval_text

    entry = next(iter(results.values()))
    return {"": key, "value": entry["value"], "95 % interval": interval_text(entry)}
