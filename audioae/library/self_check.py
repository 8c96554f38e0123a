"""Whether a generation may be served: its gate belongs to it, and tracks of its own are what they sound most like.

Why again, when an index is only published through its gate: what was measured then was another file. Between publishing
and serving lie a disk, a copy to other machines, perhaps a restored backup; and a server swaps without anybody looking.
"""

import numpy as np

from audioae.errors import SearchError
from audioae.library.generation import Generation
from audioae.library.records import Track
from audioae.pipeline.index import read_gate

PROBES = 5
MIN_SCORE = 0.9  # of a track with itself: codes without a Refine are off by less
MIN_COSINE = 0.5  # of a track's embedding with what the index holds of it, codes included; other tracks are far below


def check_generation(library: Generation) -> None:
    """Compare the gate with the index, and search for tracks of the index.

    Raises
    ------
    StoreError
        If something that a query needs is missing or damaged.
    SearchError
        If the gate is that of another index, or a track does not find itself.
    """
    index, ref = library.index, library.index_ref
    gate = read_gate(library.store, ref)
    measured = {"n": gate.get("n"), "model": gate.get("model"), "factory": gate.get("factory")}
    wanted = {"n": len(index), "model": index.model, "factory": index.factory}
    if measured != wanted:
        raise SearchError(f"{ref}: its gate measured {measured}, but it is {wanted}; build the index again")
    rows = np.unique(np.linspace(0, len(index) - 1, PROBES).astype(np.int64))
    tracks = [_track_of(library, row) for row in rows.tolist()]
    for row, track, query in zip(rows.tolist(), tracks, index.embeddings(rows), strict=True):
        scores, hits = (block[0] for block in index.search(query[None], 1))
        same = int(hits[0]) == row or np.allclose(index.embeddings(hits)[0], query, atol=1e-3)
        if not (same and scores[0] >= MIN_SCORE):
            raise SearchError(f"{ref}: {track.track_id} does not find itself (score {scores[0]:.3f}); build it again")
    middle = len(rows) // 2  # only one: a whole part is read for it
    stored, held = library.embedding_of(tracks[middle]), index.embeddings(rows[[middle]])[0]
    if stored @ held < MIN_COSINE * np.linalg.norm(stored) * np.linalg.norm(held):
        raise SearchError(f"{ref} holds another embedding of {tracks[middle].track_id}; build the index again")


def _track_of(library: Generation, row: int) -> Track:
    """The track of an index row, found by its track_id as a query finds it."""
    track = library.lookup.track(int(library.alignment.catalog_row[row]))
    found = library.lookup.row_of(track.track_id or "")
    if found < 0 or library.alignment.index_row[found] != row:
        raise SearchError(
            f"{library.index_ref}: {track.track_id} is another track in {library.tracks_ref}; build the index again"
        )
    return track
