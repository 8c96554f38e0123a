"""Schemas of what a catalog is: its tracks, their IDs in other systems, and a scan of its source."""

import pyarrow as pa

from audioae.store.schema_fields import TEXTS, required

TRACKS = pa.schema(
    [
        required("track_id", pa.string()),
        required("uri", pa.string()),
        pa.field("title", pa.string()),
        pa.field("artist", pa.string()),
        pa.field("album", pa.string()),
        pa.field("label", pa.string()),
        pa.field("split", pa.string()),
        pa.field("year", pa.int32()),
        pa.field("duration_s", pa.float64()),  # according to the container; null if it does not say
        pa.field("content_hash", pa.string()),  # null if the file cannot be read
        pa.field("size_bytes", pa.int64()),
        pa.field("modified_ns", pa.int64()),
        required("shard", pa.int32()),
        required("added_at", pa.timestamp("us", "UTC")),
        pa.field("duplicate_of", pa.string()),  # track_id of the first track with the same bytes
        # version 2
        pa.field("audio_hash", pa.string()),  # of the audio's bytes, without tags; null: unknown
        pa.field("path_bytes", pa.binary()),  # of a path that is not UTF-8, for which `uri` is only the displayed form
        pa.field("artists", TEXTS),  # all artists, the first of which is `artist`
        pa.field("genres", TEXTS),  # all genres, the first of which is `label`
        # version 3
        pa.field("isrc", pa.string()),  # International Standard Recording Code: 12 characters, no hyphens
        pa.field("musicbrainz_id", pa.string()),  # of the recording: a UUID in lower case
    ]
)

# The tracks of other systems: `pipeline/aliases.py` matches them. Each part belongs to one namespace and is sorted by
# `external_id`; the manifest's config says which parts are of which namespace.
ALIASES = pa.schema(
    [
        required("namespace", pa.string()),
        required("external_id", pa.string()),  # unique within its namespace
        required("track_id", pa.string()),
        required("matched_by", pa.string()),  # track_id, isrc, musicbrainz, path or metadata
    ]
)

# Files that a scan of the source has read, kept until it ends: see `pipeline/scans.py`.
SCANS = pa.schema(
    [
        required("path", pa.binary()),  # UTF-8; bytes that are not are lone surrogates, encoded like other characters
        required("size_bytes", pa.int64()),
        pa.field("modified_ns", pa.int64()),  # null: the file is to be read again
        required("content_hash", pa.string()),
        pa.field("audio_hash", pa.string()),
        *(TRACKS.field(name) for name in ("title", "artists", "album", "genres", "year", "duration_s")),
        *(TRACKS.field(name) for name in ("isrc", "musicbrainz_id")),
    ]
)
