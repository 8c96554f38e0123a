"""The command `audioae similar`: what sounds like tracks or files, confined and spread as wished."""

from typing import Annotated

import typer

from audioae.cli.filters import (
    AddedAfterOption,
    AlbumOption,
    AllowOption,
    ArtistOption,
    DenyOption,
    DurationOption,
    LabelOption,
    YearOption,
    make_filters,
)
from audioae.cli.show import JsonOption, StoreOption, open_store, plain, rows_table, show

COLUMNS = ("rank", "score", "track_id", "title", "artist", "album", "label")


def similar(
    query: Annotated[
        list[str],
        typer.Argument(help="A track_id, a title, or the path of any audio file; several are mixed, `:2` doubles one."),
    ],
    k: Annotated[int, typer.Option("-k", help="How many neighbors.")] = 10,
    minus: Annotated[list[str] | None, typer.Option(help="What it should not sound like; repeatable.")] = None,
    label: LabelOption = None,
    artist: ArtistOption = None,
    album: AlbumOption = None,
    year: YearOption = None,
    duration: DurationOption = None,
    added_after: AddedAfterOption = None,
    allow: AllowOption = None,
    deny: DenyOption = None,
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
    from audioae.api import Library
    from audioae.similarity.search import Options

    filters = make_filters(label, artist, album, year, duration, added_after, allow, deny)
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
