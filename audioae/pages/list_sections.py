"""The report's sections of the two jobs that hand out lists: playlists between far tracks, new tracks for listeners.

Convention: a walk and a listener are mappings of plain data; tracks are looked up by key among those that the page
names.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audioae.pages.charts import walk_map
from audioae.pages.layout import pca_layout
from audioae.pages.markup import Section, clip_button, escape, figure, left_out, number, table
from audioae.pages.shell import Key, Shown

Entry = Mapping[str, Any]
Tracks = Mapping[Key, Shown]


def playlists(walks: Sequence[Entry], vectors: np.ndarray, tracks: Tracks, why: str) -> Section:
    """Example playlists: the walk over the map, its steps, and its tracks to listen to.

    Parameters
    ----------
    walks : sequence of mapping
        name, entries (key, step), smoothness, gave_way, embeddings (m, d), path (m, d).
    vectors : np.ndarray, shape (n, d)
        Of the catalog, for the map.
    why : str
        Why there are none.
    """
    title = "Playlists that walk"
    if not walks:
        return Section("playlists", title, left_out(why))
    caption = (
        "Numbers are the tracks in order, the dashed line is the path between the two embeddings that they were to "
        "follow, dots are the catalog; the map is the PCA of above, so what looks like a detour may be "
        "none. A step is the angle from one track to the next, in radians: nearest is the tracks nearest to the path "
        "under the same rules, random order the same tracks shuffled, and no playlist can go below the straight line. "
        "The ends are the two tracks that lie farthest apart, then the farthest of other artists and labels: hard "
        "cases."
    )
    sets = [vectors, *(points for walk in walks for points in (walk["embeddings"], walk["path"]))]
    positions, _ = pca_layout(np.concatenate(sets), n_fitted=len(vectors))
    catalog, *places = np.split(positions, np.cumsum([len(points) for points in sets])[:-1])
    body = "".join(
        _walk(walk, walk_map(catalog, places[2 * i], places[2 * i + 1], f"{walk['name']}, on the map"), tracks)
        for i, walk in enumerate(walks)
    )
    return Section("playlists", title, figure(body, caption))


def coldstart(listeners: Sequence[Entry], tracks: Tracks, why: str) -> Section:
    """New tracks for a few listeners, and because of what.

    Parameters
    ----------
    listeners : sequence of mapping
        name, and entries: key, rank, score, taste, because (keys).
    why : str
        Why there are none.
    """
    title = "New tracks for listeners"
    if not listeners:
        return Section("coldstart", title, left_out(why))
    blocks = "".join(
        f'<div class="listener"><h3>{escape(listener["name"])}</h3><ol class="near">'
        + "".join(_recommended(entry, tracks) for entry in listener["entries"])
        + "</ol></div>"
        for listener in listeners
    )
    caption = (
        "Tracks that nobody has played, ranked by sound and names for listeners taken evenly from the log, with the "
        "played tracks that speak for each. A listener with several tastes has them apart, the largest is the first."
    )
    return Section("coldstart", title, figure(f'<div class="two">{blocks}</div>', caption))


def _walk(walk: Entry, drawn: str, tracks: Tracks) -> str:
    rows = [
        (escape(name), number(own["mean"], 2), number(own["largest"], 2)) for name, own in walk["smoothness"].items()
    ]
    rules = [f"{rule.replace('_', ' ')} gave way: {what}" for rule, what in walk["gave_way"].items()]
    kept = "".join(f'<p class="note">{escape(rule)}.</p>' for rule in rules or ["Every rule is kept"])
    stops = "".join(f"<li>{_stop(i, entry, tracks)}</li>" for i, entry in enumerate(walk["entries"], 1))
    return (
        f'<h3>{escape(walk["name"])}</h3><div class="two walked"><div>{drawn}</div><div><ol class="near">{stops}</ol>'
        f"{table(('steps, radians', 'mean', 'largest'), rows)}{kept}</div></div>"
    )


def _stop(position: int, entry: Entry, tracks: Tracks) -> str:
    own = tracks[entry["key"]]
    step = "the start" if entry["step"] is None else f"step {number(entry['step'], 2)}"
    metadata = " · ".join([own.label, step] if own.label else [step])
    said = f"{position}. <b>{escape(own.title)}</b> {escape(own.artist)} <small>{escape(metadata)}</small>"
    return f"{clip_button(entry['key'], 'small')}<span>{said}</span>"


def _recommended(entry: Entry, tracks: Tracks) -> str:
    own = tracks[entry["key"]]
    titles = " and ".join(tracks[key].title for key in entry["because"])
    because = f"<small>· because of {escape(titles)}</small>" if titles else ""
    said = (
        f"{entry['rank']}. <b>{escape(own.title)}</b> {escape(own.artist)} "
        f"<small>{escape(own.label)} · {number(entry['score'], 2)} · taste {entry['taste']}</small> {because}"
    )
    return f"<li>{clip_button(entry['key'], 'small')}<span>{said}</span></li>"
