"""Example playlists and example listeners for the page of a store."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from audioae.errors import AudioError, SearchError
from audioae.library.generation import Generation
from audioae.library.track_vectors import TrackVectors
from audioae.playlists.builder import Playlists
from audioae.playlists.options import PlaylistOptions
from audioae.report.excerpts import PageTracks
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

N_WALKS, WALK_TRACKS = 2, 10
MAX_ENDS = 2_000  # tracks among which the ends of a playlist are searched
N_LISTENERS, N_RECOMMENDED = 4, 5

Entry = dict[str, Any]


def example_walks(library: Generation, vectors: TrackVectors, tracks: PageTracks) -> tuple[list[Entry], str]:
    """Playlists between distant tracks, and the reason if one could not be made."""
    playlists = Playlists(library)
    walks, why = [], ""
    n = min(WALK_TRACKS, vectors.metadata.n)
    for ends in far_pairs(vectors, N_WALKS):
        try:
            answer = playlists.make([str(vectors.metadata.ids[row]) for row in ends], PlaylistOptions(n=n))
        except (SearchError, AudioError) as error:
            why = why or f"no playlist of {n} tracks could be made: {error}"
            continue
        document = answer.document
        walks.append(
            {
                **{name: document[name] for name in ("name", "smoothness", "gave_way")},
                "entries": [{"key": tracks.key(row["track_id"]), "step": row["step"]} for row in document["entries"]],
                "embeddings": answer.embeddings[answer.playlist.rows],
                "path": answer.playlist.path,
            }
        )
    return walks, why


def far_pairs(vectors: TrackVectors, n_pairs: int) -> list[tuple[int, int]]:
    """Rows of the two tracks that are farthest apart, then of the farthest two with other artists and labels.

    At most `MAX_ENDS` tracks, evenly spaced, are compared. Fewer pairs are returned if no tracks are left, or all that
    are left have the same embedding.
    """
    rows = evenly_spaced(vectors.metadata.n, MAX_ENDS)
    names = [values[rows].astype(str) for values in (vectors.metadata.artists, vectors.metadata.labels)]
    cosines = vectors.vectors[rows] @ vectors.vectors[rows].T
    free, pairs = np.ones(len(rows), bool), []
    while len(pairs) < n_pairs and free.sum() >= 2:
        among = np.flatnonzero(free)
        worst = np.unravel_index(cosines[np.ix_(among, among)].argmin(), (len(among), len(among)))
        ends = among[list(worst)]
        if ends[0] == ends[1]:  # the diagonal has the lowest cosine: all are equal
            break
        pairs.append((int(rows[ends[0]]), int(rows[ends[1]])))
        free[ends] = False
        for values in names:
            free &= ~np.isin(values, [name for name in values[ends] if name])
    return pairs


def example_listeners(store: Store, tracks: PageTracks, embeddings: DatasetRef | None) -> tuple[list[Entry], list[str]]:
    """The best new tracks of a few listeners, evenly spaced, and a sentence if they are outdated."""
    ref = store.latest("recommendations")
    if ref is None:
        return [], []
    manifest = store.manifest(ref)
    made_from, outdated = manifest.parents.get("embeddings"), []
    if embeddings is not None and made_from not in (None, embeddings.version):
        outdated.append(
            f"{ref} was made from embeddings@{made_from}, not from {embeddings}: run `audioae run recommend` again"
        )
    listeners: list[Entry] = []
    parts = [manifest.parts[i] for i in evenly_spaced(len(manifest.parts), N_LISTENERS)]
    for part in parts:
        rows: dict[str, list[Entry]] = {}
        for row in store.read_part(ref.dataset, part.name.removesuffix(".parquet")).to_pylist():
            rows.setdefault(row["listener_id"], []).append(row)
        names = list(rows)
        chosen = [names[i] for i in evenly_spaced(len(names), -(-N_LISTENERS // len(parts)))]
        listeners += [{"name": name, "entries": _best(rows[name], tracks)} for name in chosen]
    return listeners[:N_LISTENERS], outdated


def _best(rows: Sequence[Entry], tracks: PageTracks) -> list[Entry]:
    return [
        {
            **{name: row[name] for name in ("rank", "score", "taste")},
            "key": tracks.key(row["track_id"]),
            "because": [tracks.key(track_id) for track_id in row["because"]],
        }
        for row in sorted(rows, key=lambda row: row["rank"])[:N_RECOMMENDED]
    ]
