"""The command `audioae similar`: the tracks that sound most like other tracks or files."""

from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from audioae.library.records import Track

COLUMNS = ("rank", "score", "track_id", "title", "artist", "album", "label")


def similar(
    query: Annotated[
        list[str],
        typer.Argument(
            help="A track_id, a title, or the path of any audio file. Give several to blend them; append :2 to "
            "count one twice."
        ),
    ],
    k: Annotated[int, typer.Option("-k", help="Number of neighbors.")] = 10,
    minus: Annotated[
        list[str] | None, typer.Option(help="A track or file that the answer should not sound like; repeatable.")
    ] = None,
    label: LabelOption = None,
    artist: ArtistOption = None,
    album: AlbumOption = None,
    year: YearOption = None,
    duration: DurationOption = None,
    added_after: AddedAfterOption = None,
    allow: AllowOption = None,
    deny: DenyOption = None,
    diversity: Annotated[
        float,
        typer.Option(min=0, max=1, help="0: the closest tracks. Higher values trade closeness for variety (MMR)."),
    ] = 0.0,
    max_per_artist: Annotated[int | None, typer.Option(min=1, help="Maximum number of tracks by one artist.")] = None,
    hub_correction: Annotated[
        bool, typer.Option("--hub-correction", help="Penalize hubs (tracks close to everything).")
    ] = False,
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="Keep other copies of the query and of its neighbors.")
    ] = False,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Find the tracks that sound most like a track, an audio file, or a blend of several.

    \b
    Examples:
      audioae similar "Night Drive"
      audioae similar ~/new.mp3 -k 5 --json
      audioae similar "Night Drive:2" ~/new.mp3 --minus "Rain" --label jazz --year 1990: --max-per-artist 1
    """
    from audioae.api import Library
    from audioae.library.filters import check_known
    from audioae.similarity.search import Options

    filters = make_filters(label, artist, album, year, duration, added_after, allow, deny)
    options = Options(filters, diversity, max_per_artist, hub_correction, keep_duplicates)
    library = Library(open_store(store))
    check_known(library.columns, filters)
    answer = library.similar(query, k, minus=minus or (), options=options)
    liked, disliked = answer.seeds[: len(query)], answer.seeds[len(query) :]
    result = {
        "query": known(liked[0]),
        "seeds": [known(seed) for seed in liked],
        "minus": [known(seed) for seed in disliked],
        "index": str(library.index_ref),
        "n_matching": answer.n_matching,
        "short": answer.short,
        "neighbors": [dict(neighbor) for neighbor in answer.neighbors],
    }
    title = " - ".join([" + ".join(map(_named, liked)), *map(_named, disliked)])
    lines: list = [rows_table([dict(neighbor) for neighbor in answer.neighbors], COLUMNS, f"most like {title}")]
    if answer.short:
        lines.append(answer.short)
    show(as_json, result, lines)


def known(seed: "Track") -> dict[str, object]:
    """A seed's columns that have a value; a file from outside has only a uri and a title."""
    columns = plain(dict(seed))
    return columns if seed.track_id else {name: value for name, value in columns.items() if value is not None}


def _named(seed: "Track") -> str:
    if not seed.track_id:
        return str(seed.title)
    return f"{seed.title} ({seed.artist or 'no artist'}, {seed.label or 'no label'})"
