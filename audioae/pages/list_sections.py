"""The report's lists: playlists between distant tracks, and new tracks for listeners.

Convention: a playlist and a listener are mappings of plain data; a key is looked up in the tracks of the page.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audioae.pages.formats import number, words
from audioae.pages.layout import pca_layout
from audioae.pages.map_charts import walk_map
from audioae.pages.markup import Section, left_out, render
from audioae.pages.shell import Key, PageTrack

Entry = Mapping[str, Any]
Tracks = Mapping[Key, PageTrack]


def playlists(walks: Sequence[Entry], vectors: np.ndarray, tracks: Tracks, why: str) -> Section:
    """Example playlists: each over the map, with its steps and its tracks.

    Parameters
    ----------
    walks : sequence of mapping
        name, entries (key, step), smoothness, gave_way, embeddings (m, d), path (m, d).
    vectors : np.ndarray, shape (n, d)
        Embeddings of the catalog, for the map.
    tracks : mapping of key to PageTrack
    why : str
        The reason if there are no playlists.
    """
    anchor, title = "playlists", "Playlists between distant tracks"
    if not walks:
        return left_out(anchor, title, why)
    sets = [vectors, *(points for walk in walks for points in (walk["embeddings"], walk["path"]))]
    positions, _ = pca_layout(np.concatenate(sets), n_fitted=len(vectors))
    catalog, *places = np.split(positions, np.cumsum([len(points) for points in sets])[:-1])
    shown = [
        {
            "name": walk["name"],
            "map": walk_map(catalog, places[2 * i], places[2 * i + 1], f"{walk['name']}, on the map"),
            "stops": [(entry["key"], tracks[entry["key"]], entry["step"]) for entry in walk["entries"]],
            "steps": [
                (name, number(step["mean"], 2), number(step["largest"], 2)) for name, step in walk["smoothness"].items()
            ],
            "relaxed": [(words(rule), how) for rule, how in walk["gave_way"].items()],
        }
        for i, walk in enumerate(walks)
    ]
    return Section(anchor, title, render("playlists", walks=shown))


def recommendations(listeners: Sequence[Entry], tracks: Tracks, why: str) -> Section:
    """Unplayed tracks for a few listeners, and the played tracks that speak for them.

    Parameters
    ----------
    listeners : sequence of mapping
        name, and entries: key, rank, score, taste, because (keys).
    tracks : mapping of key to PageTrack
    why : str
        The reason if there are no listeners.
    """
    anchor, title = "recommendations", "New tracks for listeners"
    if not listeners:
        return left_out(anchor, title, why)
    shown = [
        {
            "name": listener["name"],
            "entries": [
                {
                    **{name: entry[name] for name in ("key", "rank", "score", "taste")},
                    "track": tracks[entry["key"]],
                    "because": [tracks[key].title for key in entry["because"]],
                }
                for entry in listener["entries"]
            ],
        }
        for listener in listeners
    ]
    return Section(anchor, title, render("recommendations", listeners=shown))
