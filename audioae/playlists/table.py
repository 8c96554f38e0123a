"""Stage playlists: publish the playlists of a config as a table for other systems.

Conventions
-----------
- The rows are those of `playlists.builder.Playlists` for the same waypoints and options. Each playlist is one part, and
  a part that exists is not computed again.
- If one playlist cannot be made, nothing is published.
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

CODE = 2  # increment when the same index would give other playlists


def publish_playlists(
    store: Store, requests: Sequence[PlaylistRequest], index: DatasetRef, workers: Workers, progress: Progress
) -> DatasetRef:
    """Publish the tracks of every requested playlist, in order, as the dataset `playlists`.

    Raises
    ------
    ConfigError
        If there are no requests, or two have the same name.
    SearchError
        If a playlist cannot be made; the message names it.
    """
    names = [request.name for request in requests]
    if not names or len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ConfigError(
            f"playlists: {'two have the name ' + repr(repeated[0]) if repeated else 'none are configured'}; wanted "
            "entries such as {name: evening, waypoints: [A, B], options: {n: 25}} with different names"
        )
    settings = [request.model_dump(mode="json") for request in requests]
    playlists = Playlists(Generation(store, index), workers=workers, progress=progress)
    parts = []
    for request, config in zip(requests, settings, strict=True):
        parts.append(f"playlist-{fingerprint([CODE, config, str(index)])}")
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
        document = playlists.make(request.waypoints, request.options, Filters(label=request.label)).document
    except SearchError as error:
        raise SearchError(f"playlist {request.name!r}: {error}") from error
    common = {"playlist": request.name, "gave_way": [*document["gave_way"]]}
    rows = [
        {**common, **{name: entry[name] for name in PLAYLISTS.names if name in entry}} for entry in document["entries"]
    ]
    return pa.Table.from_pylist(rows, schema=PLAYLISTS)
