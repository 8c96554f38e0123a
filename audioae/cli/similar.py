"""The command `audioae similar`: what sounds like tracks or files, confined and spread as wished."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from audioae.cli.show import JsonOption, StoreOption, open_store, plain, rows_table, show
from audioae.errors import SearchError

COLUMNS = ("rank", "score", "track_id", "title", "artist", "album", "label")
ANY = "repeatable: any of them will do."


def similar(
    query: Annotated[
        list[str],
        typer.Argument(help="A track_id, a title, or the path of any audio file; several are mixed, `:2` doubles one."),
    ],
    k: Annotated[int, typer.Option("-k", help="How many neighbors.")] = 10,
    minus: Annotated[list[str] | None, typer.Option(help="What it should not sound like; repeatable.")] = None,
    label: Annotated[list[str] | None, typer.Option(help=f"Only tracks of this label; {ANY}")] = None,
    artist: Annotated[list[str] | None, typer.Option(help=f"Only tracks of this artist; {ANY}")] = None,
    album: Annotated[list[str] | None, typer.Option(help=f"Only tracks of this album; {ANY}")] = None,
    year: Annotated[str | None, typer.Option(help="Only these years: 1999, 1990:1999, 1990: or :1999.")] = None,
    duration: Annotated[
        str | None, typer.Option(help="Only these durations in seconds: 120:300, 120: or :300.")
    ] = None,
    added_after: Annotated[
        datetime | None, typer.Option(help="Only what came into the catalog on this day (UTC) or later.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="Only these: a track_id, or a file of them, one per line; repeatable.")
    ] = None,
    deny: Annotated[list[str] | None, typer.Option(help="None of these: as for --allow.")] = None,
    diversity: Annotated[
        float, typer.Option(min=0, max=1, help="0: the closest; above, unlike each other as well (MMR).")
    ] = 0.0,
    max_per_artist: Annotated[int | None, typer.Option(min=1, help="At most so many tracks of one artist.")] = None,
    hub_correction: Annotated[
        bool, typer.Option("--hub-correction", help="Rank lower what is close to everything.")
    ] = False,
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="Show other copies of the query and of the tracks found.")
    ] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """The tracks that sound most like a track of the catalog, like any audio file, or like several of them.

    Examples: `audioae similar "Night Drive"`, `audioae similar ~/new.mp3 -k 5 --json`,
    `audioae similar "Night Drive:2" ~/new.mp3 --minus "Rain" --label jazz --year 1990: --max-per-artist 1`
    """
    from audioae.apps.filters import Filters
    from audioae.stages.library import Library
    from audioae.stages.similar import Options

    filters = Filters(
        label=label or (),
        artist=artist or (),
        album=album or (),
        year=_range("--year", year),
        duration_s=_range("--duration", duration),
        added_after=added_after,
        allow=None if allow is None else list(_track_ids(allow)),
        deny=list(_track_ids(deny or [])),
    )
    options = Options(filters, diversity, max_per_artist, hub_correction, keep_duplicates)
    library = Library(open_store(store))
    answer = library.similar(query, k, minus=minus or (), options=options)
    liked, disliked = answer.seeds[: len(query)], answer.seeds[len(query) :]
    result = {
        "query": plain(liked[0]),
        "seeds": [plain(seed) for seed in liked],
        "minus": [plain(seed) for seed in disliked],
        "index": str(library.index_ref),
        "n_matching": answer.n_matching,
        "neighbors": answer.neighbors,
    }
    title = " - ".join([" + ".join(map(_named, liked)), *map(_named, disliked)])
    lines: list = [rows_table(answer.neighbors, COLUMNS, f"most like {title}")]
    if len(answer.neighbors) < k:
        lines.append(
            f"{len(answer.neighbors)} of {k} wanted: {answer.n_matching} recordings pass the filters, from which the "
            "queries, their duplicates and what --max-per-artist excludes are left out"
        )
    show(as_json, result, lines)


def _named(seed: dict) -> str:
    if "track_id" not in seed:
        return seed["title"]
    return f"{seed['title']} ({seed['artist'] or 'no artist'}, {seed['label'] or 'no label'})"


def _range(option: str, text: str | None) -> tuple[float | None, float | None]:
    if text is None:
        return None, None
    low, colon, high = text.partition(":")
    try:
        ends = float(low) if low else None, float(high) if high else None
    except ValueError:
        ends = None, None
    if ends == (None, None):
        raise SearchError(f"{option} {text!r}: wanted a number, or two with a colon, such as 120:300, 120: or :300")
    return ends if colon else (ends[0], ends[0])


def _track_ids(values: list[str]) -> Iterator[str]:
    for value in values:
        if Path(value).is_file():
            yield from (line.strip() for line in Path(value).read_text().splitlines() if line.strip())
        else:
            yield value
