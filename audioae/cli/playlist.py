"""The command `audioae playlist`: a smooth walk from one track to another."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from audioae.cli.show import JsonOption, StoreOption, open_store, progress_line, rows_table, show
from audioae.errors import SearchError
from audioae.output import write_whole

if TYPE_CHECKING:
    from audioae.api import Library
    from audioae.playlists.builder import PlaylistAnswer
    from audioae.playlists.options import Curve

KINDS = (".m3u8", ".csv", ".json", ".png", ".mp3")
SHOWN = ("position", "title", "artist", "label", "duration_s", "tempo", "energy", "step")


def playlist(
    waypoints: Annotated[list[str], typer.Argument(help="Tracks to start at, pass through and end at, in order.")],
    n: Annotated[int | None, typer.Option("-n", help="Number of tracks, including the waypoints. Default: 25.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Playing time in minutes, instead of -n.")] = None,
    tolerance: Annotated[
        float, typer.Option(help="Minutes by which the playing time may differ from --minutes.")
    ] = 2.0,
    tempo: Annotated[str | None, typer.Option(help="'monotone', a maximum step in BPM, or both: 'monotone,8'.")] = None,
    energy: Annotated[str | None, typer.Option(help="The same for energy: 'monotone', '3' (dB), 'monotone,3'.")] = None,
    facts: Annotated[str | None, typer.Option(help="CSV or Parquet with the tempo or energy of the tracks.")] = None,
    artist_window: Annotated[
        int, typer.Option(help="No artist twice within this many consecutive tracks; 1: off.")
    ] = 3,
    max_per_artist: Annotated[int, typer.Option(help="Maximum number of tracks by one artist; 0: no limit.")] = 3,
    label: LabelOption = None,
    artist: ArtistOption = None,
    album: AlbumOption = None,
    year: YearOption = None,
    duration: DurationOption = None,
    added_after: AddedAfterOption = None,
    allow: AllowOption = None,
    deny: DenyOption = None,
    seamless: Annotated[float, typer.Option(help="Weight of how well a track's end fits the start of the next.")] = 0.0,
    linear: Annotated[bool, typer.Option("--linear", help="Interpolate along the straight line, not the arc.")] = False,
    seed: Annotated[int | None, typer.Option(help="For variety: another seed gives another playlist.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail if a rule cannot be kept; by default one gives way.")
    ] = False,
    out: Annotated[
        list[str] | None,
        typer.Option(
            help="Write a file; repeatable. .m3u8, .csv or .json: the list; .png: a picture; .mp3: an illustration."
        ),
    ] = None,
    store: StoreOption = "data",
    as_json: JsonOption = False,
) -> None:
    """Build a playlist that moves smoothly, by sound, from one track to another.

    Name tracks by track_id or title. If not all rules can be kept, one gives way, and the answer says which. An .mp3 or
    a .preview.png shows what the model decodes between the waypoints. It is an illustration: no track sounds like it.

    \b
    Examples:
      audioae playlist "Night Drive" "First Snow" -n 15 --out walk.m3u8
      audioae playlist A B C --minutes 60 --tempo monotone --out walk.json --out walk.png
    """
    from audioae.api import Library
    from audioae.config import parse_config
    from audioae.library.filters import check_known
    from audioae.pipeline.config import Workers
    from audioae.playlists.builder import Playlists
    from audioae.playlists.options import PlaylistOptions

    _check_outputs(out or [])
    settings = {
        "n": n if minutes is not None or n is not None else 25,
        "duration_s": None if minutes is None else minutes * 60,
        "tolerance_s": tolerance * 60,
        "path": "linear" if linear else "spherical",
        "artist_window": artist_window,
        "max_per_artist": max_per_artist or None,
        "tempo": _curve("--tempo", tempo),
        "energy": _curve("--energy", energy),
        "seamless": seamless,
        "seed": seed,
        "strict": strict,
    }
    options = parse_config(PlaylistOptions, settings, where="audioae playlist")
    opened = open_store(store)
    library = Library(opened, embeddings=opened.require("embeddings"))
    workers = Workers(n=len(os.sched_getaffinity(0)))
    filters = make_filters(label, artist, album, year, duration, added_after, allow, deny)
    check_known(library.columns, filters)
    with progress_line() as progress:
        answer = Playlists(library, facts=facts, workers=workers, progress=progress).make(waypoints, options, filters)
    for path in out or []:
        _write(path, answer, library)
    show(as_json, answer.document, [*_lines(answer.document), *(_written(path) for path in out or [])])


def _lines(document: dict[str, Any]) -> list[Any]:
    entries = document["entries"]
    columns = tuple(name for name in SHOWN if any(entry.get(name) is not None for entry in entries))
    minutes = document["duration_s"] / 60
    rows = [{**entry, "title": f"* {entry['title']}" if entry["waypoint"] else entry["title"]} for entry in entries]
    steps = [{"": name, **values} for name, values in document["smoothness"].items()]
    relaxed = [f"relaxed: {rule}: {how}" for rule, how in document["gave_way"].items()]
    return [
        rows_table(rows, columns, f"{document['name']}: {len(entries)} tracks, {minutes:.1f} minutes"),
        rows_table(
            steps,
            ("", "mean", "largest"),
            "Step size (radians): this playlist and alternatives between the same waypoints",
        ),
        *(relaxed or ["every rule is kept"]),
        *document["notes"],
    ]


def _write(path: str, answer: "PlaylistAnswer", library: "Library") -> None:
    from audioae.playlists.export import export_playlist
    from audioae.playlists.picture import preview_picture, walk_picture

    name = answer.document["name"]
    titles = [entry["title"] for entry in answer.document["entries"]]
    if path.endswith((".mp3", ".preview.png")):
        from audioae.playlists.latent_preview import preview_path

        ids = [answer.document["entries"][i]["track_id"] for i in answer.playlist.waypoints]
        made = preview_path(library, [library.find(track_id) for track_id in ids])
        content = made.audio if path.endswith(".mp3") else preview_picture(made.mels, made.shares.tolist(), name)
    elif path.endswith(".png"):
        content = walk_picture(answer.playlist, answer.embeddings, titles, name)
    else:
        content = export_playlist(answer.document, Path(path).suffix[1:].lower()).encode()
    try:
        write_whole(path, content)
    except OSError as error:
        raise SearchError(f"--out {path}: cannot be written ({error}); choose a file in an existing folder") from error


def _written(path: str) -> str:
    illustration = path.endswith((".mp3", ".preview.png"))
    return f"written: {path}" + (
        " (an illustration: decoded from embeddings, not from a track)" if illustration else ""
    )


def _check_outputs(paths: list[str]) -> None:
    for path in paths:
        if not path.endswith(KINDS):
            raise SearchError(f"--out {path}: wanted a file that ends in one of {', '.join(KINDS)}")
        if not Path(path).parent.is_dir():
            raise SearchError(f"--out {path}: no folder {Path(path).parent}; create it first")


def _curve(option: str, text: str | None) -> "Curve":
    from audioae.playlists.options import Curve

    monotone, step = False, None
    for word in (text or "").split(",") if text else []:
        if word.strip() == "monotone":
            monotone = True
            continue
        try:
            step = float(word)
        except ValueError:
            raise SearchError(f"{option} {text}: got {word!r}, wanted monotone, a maximum step, or both") from None
        if not 0 < step < float("inf"):
            raise SearchError(f"{option} {text}: wanted a maximum step above 0")
    return Curve(monotone=monotone, max_step=step)
