"""Stage playlists: the playlists that a config asks for, as a table to feed another system with.

Conventions
-----------
- What stands in it is what `playlists.builder.Playlists` answers for the same waypoints and options; a playlist has a
  part of its own, and one that is there is not made again.
- If one of them cannot be made nothing is published: the error names it.
"""

from collections.abc import Sequence

import pyarrow as pa

from audioae.config import fingerprint
from audioae.errors import ConfigError, SearchError
from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.playlists.builder import Playlists
from audioae.playlists.config import PlaylistRequest
from audioae.progress import Progress
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import PLAYLISTS

CODE = 1  # raise it when the same index would give other playlists


def publish_playlists(
    store: Store, requests: Sequence[PlaylistRequest], index: DatasetRef, workers: Workers, report: Progress
) -> DatasetRef:
    """Publish `playlists`: the tracks of every request in their order.

    Raises
    ------
    ConfigError
        If there is no request, or two have one name.
    SearchError
        If one cannot be made; the message names it.
    """
    names = [request.name for request in requests]
    if not names or len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ConfigError(
            f"playlists: {'two are called ' + repr(twice[0]) if twice else 'there is none'}; wanted entries such as "
            "{name: evening, waypoints: [A, B], options: {n: 25}}, each with a name of its own"
        )
    settings = [request.model_dump(mode="json") for request in requests]
    playlists = Playlists(Generation(store, index), workers=workers, report=report)
    parts = []
    for request, own in zip(requests, settings, strict=True):
        parts.append(f"playlist-{fingerprint([CODE, own, str(index)])}")
        if not store.has_part("playlists", parts[-1]):
            store.write_part("playlists", parts[-1], _table(playlists, request))
    library = playlists.library
    return store.commit(
        "playlists",
        parts,
        recipe=fingerprint(parts),
        config={"playlists": settings},
        parents=[index, library.embeddings_ref, library.tracks_ref],
    )


def _table(playlists: Playlists, request: PlaylistRequest) -> pa.Table:
    """The rows of one playlist."""
    try:
        made = playlists.make(request.waypoints, request.options, Filters(label=request.label)).document
    except SearchError as error:
        raise SearchError(f"playlist {request.name!r}: {error}") from error
    common = {"playlist": request.name, "gave_way": [str(rule) for rule in made["gave_way"]]}
    rows = [{**common, **{name: entry[name] for name in PLAYLISTS.names if name in entry}} for entry in made["entries"]]
    return pa.Table.from_pylist(rows, schema=PLAYLISTS)
