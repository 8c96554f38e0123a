"""Example playlists and example listeners, as the page of a report takes them."""

import numpy as np

from audioae.errors import AudioError, SearchError
from audioae.library.generation import Generation
from audioae.library.track_vectors import TrackVectors
from audioae.playlists.builder import Playlists
from audioae.playlists.options import PlaylistOptions
from audioae.report.excerpts import Book
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

N_WALKS, WALK_TRACKS = 2, 10
MAX_ENDS = 2_000  # tracks among which the ends of a walk are looked for
N_LISTENERS, N_RECOMMENDED = 4, 5


def example_walks(library: Generation, subject: TrackVectors, book: Book) -> tuple[list[dict], str]:
    """Playlists between the tracks that lie farthest apart; or why there is none."""
    playlists = Playlists(library)
    walks, why = [], ""
    n = min(WALK_TRACKS, subject.metadata.n)
    for ends in far_pairs(subject, N_WALKS):
        try:
            answer = playlists.make([str(subject.metadata.ids[row]) for row in ends], PlaylistOptions(n=n))
        except (SearchError, AudioError) as error:
            why = why or f"no playlist of {n} tracks could be made: {error}"
            continue
        entries = [{"key": book.key(entry["track_id"]), "step": entry["step"]} for entry in answer.document["entries"]]
        walks.append(
            {
                **{name: answer.document[name] for name in ("name", "smoothness", "gave_way")},
                "entries": entries,
                "embeddings": answer.embeddings[answer.playlist.rows],
                "path": answer.playlist.path,
            }
        )
    return walks, why


def far_pairs(subject: TrackVectors, n_pairs: int) -> list[tuple[int, int]]:
    """Rows of the two tracks that lie farthest apart, then of the two farthest whose artists and labels are others.

    At most `MAX_ENDS` tracks, evenly taken, are looked at.
    """
    n = subject.metadata.n
    rows = evenly_spaced(n, MAX_ENDS)
    names = [values[rows].astype(str) for values in (subject.metadata.artists, subject.metadata.labels)]
    cosines = subject.vectors[rows] @ subject.vectors[rows].T
    left, pairs = np.ones(len(rows), bool), []
    while len(pairs) < n_pairs and left.sum() >= 2:
        among = np.flatnonzero(left)
        worst = np.unravel_index(cosines[np.ix_(among, among)].argmin(), (len(among), len(among)))
        ends = among[list(worst)]
        if ends[0] == ends[1]:  # all are the same
            break
        pairs.append((int(rows[ends[0]]), int(rows[ends[1]])))
        left[ends] = False
        for values in names:
            left &= ~np.isin(values, [name for name in values[ends] if name])
    return pairs


def example_listeners(store: Store, book: Book, embeddings: DatasetRef | None) -> tuple[list[dict], list[str]]:
    """The best new tracks of a few listeners, evenly taken from `coldstart`; and a sentence if it is from before."""
    ref = store.latest("coldstart")
    if ref is None:
        return [], []
    manifest = store.manifest(ref)
    made_from, said = manifest.parents.get("embeddings"), []
    if embeddings is not None and made_from not in (None, embeddings.version):
        said.append(f"{ref} was made from embeddings@{made_from}, not from {embeddings}; recommend again")
    parts = [manifest.parts[i] for i in evenly_spaced(len(manifest.parts), N_LISTENERS)]
    listeners = []
    for part in parts:
        table = store.read_part("coldstart", part.name.removesuffix(".parquet"))
        rows: dict[str, list[dict]] = {}
        for row in table.to_pylist():
            rows.setdefault(row["listener_id"], []).append(row)
        names = list(rows)
        for i in evenly_spaced(len(names), -(-N_LISTENERS // len(parts))):
            best = sorted(rows[names[i]], key=lambda row: row["rank"])[:N_RECOMMENDED]
            entries = [
                {
                    **{name: row[name] for name in ("rank", "score", "taste")},
                    "key": book.key(row["track_id"]),
                    "because": [book.key(track_id) for track_id in row["because"]],
                }
                for row in best
            ]
            listeners.append({"name": names[i], "entries": entries})
    return listeners[:N_LISTENERS], said
