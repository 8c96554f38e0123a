"""Commands about tracks that nobody has played yet: who will like them, and which of them a listener will like."""

import json
from typing import Annotated, Any

import typer

from audioae.cli.show import (
    JsonOption,
    StoreOption,
    TruthOption,
    local_workers,
    open_library,
    plain,
    progress_line,
    rows_table,
    show,
)
from audioae.errors import StoreError
from audioae.output import write_whole

INTERVAL = "95 % interval"

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Recommend tracks that nobody has played yet, by sound: tracks for a listener, or listeners for a track.\n\n"
    "A play log is a CSV or Parquet file with columns listener_id, track_id and optionally weight (plays, above 0) and "
    "played_at. `audioae run recommend CONFIG` makes a table for all listeners.",
)

PlaysArgument = Annotated[str, typer.Argument(help="The play log: CSV or Parquet.")]
HalfLifeOption = Annotated[float, typer.Option(min=0.01, help="Days after which a play counts half as much.")]


@app.command()
def tracks(
    listener: Annotated[str, typer.Argument(help="The listener_id.")],
    plays: PlaysArgument,
    k: Annotated[int, typer.Option("-k", help="Number of tracks.")] = 10,
    half_life_days: HalfLifeOption = 120.0,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Recommend new tracks to a listener, with the taste that each suits and the played tracks that explain it.

    `score` says how much better a track suits the listener than the average track does, in standard deviations. It is
    the mean of `fit` (to the listener's tastes) and `others` (the expected interest of those who play the same tracks).

    \b
    Example:
      audioae recommend tracks anna plays.csv -k 5
    """
    recommender = _open(store, plays, half_life_days)
    rows, tastes = recommender.for_listener(listener, k), recommender.tastes_of(listener)
    result = {"listener_id": listener, "embeddings": str(recommender.library.embeddings_ref), "tastes": tastes}
    shown = [{**row, "because": _titles(row["because"])} for row in rows]
    for taste in tastes:
        taste["labels"], taste["such as"] = list(taste["labels"]), list(taste["such as"])
    taste_rows = [
        {**taste, "labels": ", ".join(taste["labels"]), "such as": "; ".join(taste["such as"])} for taste in tastes
    ]
    show(
        as_json,
        {**result, "tracks": rows, **_left_out(recommender)},
        [
            rows_table(taste_rows, ("taste", "share", "tracks", "labels", "such as"), f"tastes of {listener}"),
            rows_table(
                shown,
                ("rank", "score", "fit", "others", "track_id", "title", "artist", "label", "taste", "because"),
                f"new for {listener}",
            ),
            *_notes(recommender),
        ],
    )


@app.command()
def audience(
    query: Annotated[str, typer.Argument(help="A track_id, a title, or the path of any audio file.")],
    plays: PlaysArgument,
    k: Annotated[int, typer.Option("-k", help="Number of listeners.")] = 10,
    half_life_days: HalfLifeOption = 120.0,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Find the listeners whom a track suits best, whether they have played it or not, and explain why.

    \b
    Example:
      audioae recommend audience ~/demo.mp3 plays.parquet
    """
    recommender = _open(store, plays, half_life_days)
    track, rows = recommender.audience(query, k)
    shown = [{**row, "because": _titles(row["because"])} for row in rows]
    table = rows_table(shown, ("rank", "score", "listener_id", "taste", "because"), f"listeners for {track['title']}")
    show(
        as_json,
        {"track": plain(track), "listeners": rows, **_left_out(recommender)},
        [table, *_notes(recommender)],
    )


@app.command()
def vectors(
    known: Annotated[str, typer.Argument(help="Your collaborative vectors: .parquet or .npz, track_id and vector.")],
    out: Annotated[str, typer.Argument(help="The Parquet file to write.")],
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Estimate collaborative vectors from sound for tracks that have none, and print the held-out error.

    \b
    Example:
      audioae recommend vectors als.parquet estimated.parquet
    """
    from dataclasses import asdict

    from audioae.recommend.factor_files import predict_vectors

    n_known, n_estimated, held_out = predict_vectors(open_library(store), known, out)
    result = {"path": out, "known": n_known, "estimated": n_estimated, "held_out": asdict(held_out)}
    lines = [
        f"{n_estimated} vectors estimated from {n_known} known ones, written to {out}",
        f"held out by artist: R2 {held_out.r2:.3f}, cosine to the true vector {held_out.cosine:.3f} "
        f"(the mean vector: {held_out.cosine_of_mean:.3f})",
    ]
    show(as_json, result, lines)


@app.command()
def simulate(
    out: Annotated[str, typer.Argument(help="The Parquet file to write.")],
    truth: Annotated[str, typer.Option(help="CSV or Parquet with track_id or path, true_label or label, and numbers.")],
    listeners: Annotated[int, typer.Option(min=1, help="Number of listeners.")] = 300,
    unplayed: Annotated[float, typer.Option(min=0, max=0.99, help="Share of the tracks that nobody plays.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Another seed gives other listeners.")] = 0,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Simulate a play log: listeners with one to three tastes, popular tracks, and noise.

    Tastes come from the truth about the tracks (styles, artists, tempo, energy), never from embeddings.

    \b
    Example:
      audioae recommend simulate plays.parquet --truth data/demo-catalog/truth.csv
    """
    from audioae.recommend.simulated_log import write_simulated_log

    n_plays = write_simulated_log(open_library(store), truth, out, n_listeners=listeners, unplayed=unplayed, seed=seed)
    show(
        as_json,
        {"path": out, "plays": n_plays, "listeners": listeners},
        [f"{n_plays} plays of {listeners} listeners written to {out}"],
    )


@app.command()
def measure(
    truth: TruthOption = None,
    plays: Annotated[str | None, typer.Option(help="A real play log, instead of --truth.")] = None,
    against: Annotated[
        list[str] | None, typer.Option(help="A .parquet or .npz with other vectors of the same tracks; repeatable.")
    ] = None,
    listeners: Annotated[int, typer.Option(min=2, help="Number of simulated listeners, with --truth.")] = 300,
    seed: Annotated[int, typer.Option(help="Seed of the simulated log and of the split.")] = 0,
    out: Annotated[str | None, typer.Option(help="JSON file for all figures.")] = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Measure how well new tracks are recommended: hide tracks from a play log, and compare with baselines.

    \b
    Example:
      audioae recommend measure --truth data/demo-catalog/truth.csv
    """
    from audioae.metrics.document import interval_notes
    from audioae.recommend.offline_eval import evaluate_offline

    with progress_line() as progress:
        document = evaluate_offline(
            open_library(store),
            truth=truth,
            plays=plays,
            against=against or (),
            n_listeners=listeners,
            seed=seed,
            workers=local_workers(),
            progress=progress,
        )
    if out:
        try:
            write_whole(out, json.dumps(document, indent=1))
        except OSError as error:
            raise StoreError(f"--out {out}: cannot be written ({error.strerror}); choose another file") from error
    tables: list[Any] = [
        f"{document['embeddings']}: {document['n_tracks']} tracks, {document['n_listeners']} listeners, "
        f"{document['n_plays']} plays ({document['log']})"
    ]
    for split in document["splits"].values():
        keys = [metric["key"] for metric in split["metrics"]]
        tables.append(rows_table(_rows(split["metrics"]), ("", keys[0], INTERVAL, *keys[1:]), split["title"]))
        for name, figures in list(split["regression"].items())[:1]:
            values = ", ".join(f"{key} {value:.3f}" for key, value in figures.items())
            tables.append(f"collaborative vectors estimated by {name}, held out: {values}")
    tables.append(
        "+ the recommender (first row) is better, - worse, = no significant difference (--json has all figures)"
    )
    notes = dict.fromkeys(note for split in document["splits"].values() for note in interval_notes(split["metrics"]))
    show(as_json, document, [*tables, *notes, *(f"left out: {sentence}" for sentence in document["omitted"])])


def _rows(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per method, a column per metric, and the interval of the first metric."""
    from audioae.metrics.document import interval_text

    signs = {"better": "+", "worse": "-", "none": "=", None: ""}
    rows: dict[str, dict[str, Any]] = {}
    for metric in metrics:
        for name, entry in metric["results"].items():
            sign = signs[entry.get("verdict") if metric["higher_is_better"] is not None else None]
            row = rows.setdefault(name, {"": name, INTERVAL: interval_text(entry)})
            row[metric["key"]] = f"{entry['value']:.3f} {sign}".rstrip()
    return list(rows.values())


def _open(store: str, plays: str, half_life_days: float):
    from audioae.recommend.recommender import Recommender

    return Recommender(open_library(store), plays, half_life_days)


def _titles(because: list[dict[str, Any]]) -> str:
    return " and ".join(f"{row['title']} ({row['artist']}, {row['cosine']:.2f})" for row in because)


def _left_out(recommender: Any) -> dict[str, int]:
    return {
        "unknown_plays": recommender.plays.unknown_plays,
        "lost_listeners": recommender.plays.lost_listeners,
    }


def _notes(recommender: Any) -> list[str]:
    counts = _left_out(recommender)
    lines = []
    if counts["unknown_plays"]:
        lines.append(f"left out: {counts['unknown_plays']} plays of tracks that have no embedding")
    if counts["lost_listeners"]:
        lines.append(f"left out: {counts['lost_listeners']} listeners who played nothing else")
    return lines
