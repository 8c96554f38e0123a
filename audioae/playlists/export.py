"""Playlists as files: M3U8 for players, CSV for tables, JSON for programs.

Convention: the entries of a playlist are dicts with the keys of `COLUMNS`; None means unknown. Text is escaped as in
`audioae.display`; JSON escapes in its own way and is complete.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from audioae.display import csv_cell, shown
from audioae.errors import SearchError

COLUMNS = (
    "position",
    "track_id",
    "title",
    "artist",
    "album",
    "label",
    "duration_s",
    "tempo",
    "energy",
    "step",
    "off_path",
    "waypoint",
    "uri",
)


def export_playlist(document: Mapping[str, Any], kind: str) -> str:
    """Format a playlist as the text of a file.

    Parameters
    ----------
    document : mapping
        Needs `name` and `entries`; JSON contains all of it.
    kind : str
        "m3u8", "csv" or "json".

    Raises
    ------
    SearchError
        If the kind is unknown.

    >>> export_playlist({"name": "a to b", "entries": []}, "m3u8").splitlines()
    ['#EXTM3U', '#PLAYLIST:a to b']
    """
    if kind == "json":
        return json.dumps(document, indent=1, default=str) + "\n"
    if kind == "csv":
        return _csv(document["entries"])
    if kind == "m3u8":
        return _m3u8(document["name"], document["entries"])
    raise SearchError(f"playlist format: got {kind!r}, wanted m3u8, csv or json")


def _m3u8(name: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """Extended M3U in UTF-8, as players read it; the duration -1 means unknown."""
    lines = ["#EXTM3U", f"#PLAYLIST:{_one_line(name)}"]
    for entry in entries:
        seconds = -1 if entry["duration_s"] is None else round(entry["duration_s"])
        title = " - ".join(_one_line(entry[key]) for key in ("artist", "title") if entry[key])
        lines += [f"#EXTINF:{seconds},{title}", entry.get("address") or entry["uri"]]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return shown(" ".join(text.split()))


def _csv(entries: Sequence[Mapping[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        [entry.get(name) if name == "track_id" else csv_cell(entry.get(name)) for name in COLUMNS] for entry in entries
    )
    return file.getvalue()
