"""Schemas of what is computed from embeddings: neighbors, playlists, recommendations, findings, maps."""

import pyarrow as pa

from audioae.store.schema_fields import TEXTS, required

# The nearest tracks of each track, closest first.
SIMILAR = pa.schema(
    [
        required("track_id", pa.string()),
        required("rank", pa.int32()),  # from 1
        required("neighbor", pa.string()),  # track_id
        required("score", pa.float32()),  # cosine
    ]
)

# The playlists of a config, in the order of the config.
PLAYLISTS = pa.schema(
    [
        required("playlist", pa.string()),
        required("position", pa.int32()),  # from 1
        required("track_id", pa.string()),
        pa.field("step", pa.float32()),  # angle to the previous track, radians; null for the first
        required("waypoint", pa.bool_()),
        required("gave_way", TEXTS),  # rules it could not keep
    ]
)

# New tracks for each listener, best first. `recommend/scorer.py` defines the scores; `others` is null if the log has
# too few listeners.
RECOMMENDATIONS = pa.schema(
    [
        required("listener_id", pa.string()),
        required("rank", pa.int32()),  # from 1
        required("track_id", pa.string()),
        required("score", pa.float32()),
        required("fit", pa.float32()),
        pa.field("others", pa.float32()),
        required("taste", pa.int16()),  # which of the listener's tastes, 1 the largest
        required("because", TEXTS),  # played track_ids
    ]
)

# One row per track and check that examined it. `screening/findings.py` defines the columns.
FINDINGS = pa.schema(
    [
        required("track_id", pa.string()),
        required("check", pa.string()),
        pa.field("score", pa.float32()),  # null: the check cannot tell
        required("is_issue", pa.bool_()),
        pa.field("group", pa.string()),
        pa.field("suggestion", pa.string()),
        pa.field("confidence", pa.float32()),
        pa.field("evidence", pa.string()),  # JSON
    ]
)

# One row per check of a screening: its threshold, its self-test, and what it left out.
SCREENINGS = pa.schema(
    [
        required("check", pa.string()),
        required("threshold", pa.float32()),
        required("measured", pa.string()),  # JSON: results of the self-test
        required("omitted", TEXTS),
    ]
)

# The places of the tracks on a map, in the order of the embeddings: `maps/table.py` makes them.
MAP = pa.schema(
    [
        required("track_id", pa.string()),
        required("x", pa.float32()),
        required("y", pa.float32()),
        required("region", pa.int32()),  # a region keeps its number from version to version; -1: in none
        required("fitted", pa.bool_()),  # the layout was fitted to this track; False: placed among those
    ]
)

_TRAIT = [
    required("column", pa.string()),  # label, artist, year ...
    required("value", pa.string()),
    required("n", pa.int32()),  # tracks of the region that have it
    required("share", pa.float32()),  # of the region's tracks
    required("lift", pa.float32()),  # that share, divided by the share among all tracks
]

# The regions of a map, largest first: `maps/names.py` says how they get their names.
REGIONS = pa.schema(
    [
        required("region", pa.int32()),
        required("name", pa.string()),  # unique
        required("n", pa.int32()),
        required("x", pa.float32()),  # where its name goes: the place of a track in its middle
        required("y", pa.float32()),
        required("traits", pa.list_(pa.field("element", pa.struct(_TRAIT), nullable=False))),  # the strongest first
    ]
)
