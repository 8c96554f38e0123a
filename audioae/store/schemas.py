"""The contract of every dataset: its columns, their types and its version. Writing and reading a part both check it.

Conventions
-----------
- A column may be null only if its field says so.
- To change a schema, raise its version and keep `Store` able to read the old one: every version ever written must load
  forever (`tests/golden` holds a sample of each). `added` columns are null when an older part is read, and columns with
  a former type are read as the present one.
- To rename a dataset, add its old name to `former_names`: it is written under its new name, and what an older version
  of audioae wrote is read under the old one.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from audioae.constants import EMBEDDING_DIM, N_FRAMES, N_MELS
from audioae.errors import StoreError


@dataclass(frozen=True)
class Dataset:
    """The contract of one dataset.

    Parameters
    ----------
    version : int
        Of the schema.
    schema : pa.Schema
    added : tuple of str
        Columns that version 1 did not have.
    former_types : mapping of str to pa.DataType
        Columns that had another type in version 1: a fixed number of uint8 in a list is read as as many bytes.
    former_names : tuple of str
        Names under which older versions of audioae wrote this dataset.
    """

    version: int
    schema: pa.Schema
    added: tuple[str, ...] = ()
    former_types: Mapping[str, pa.DataType] = dataclasses.field(default_factory=dict)
    former_names: tuple[str, ...] = ()

    def stored_schema(self, version: int) -> pa.Schema:
        """The types of the columns in a part of schema version `version`, with those that it lacks."""
        former = self.former_types if version == 1 else {}
        return pa.schema([field.with_type(former.get(field.name, field.type)) for field in self.schema])


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


_TEXTS = pa.list_(pa.field("element", pa.string(), nullable=False))

TRACKS = pa.schema(
    [
        _required("track_id", pa.string()),
        _required("uri", pa.string()),
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
        _required("shard", pa.int32()),
        _required("added_at", pa.timestamp("us", "UTC")),
        pa.field("duplicate_of", pa.string()),  # track_id of the first track with the same bytes
        # version 2
        pa.field("audio_hash", pa.string()),  # of the audio's bytes, without tags; null: unknown
        pa.field("path_bytes", pa.binary()),  # of a path that is not UTF-8, for which `uri` is only the displayed form
        pa.field("artists", _TEXTS),  # all artists, the first of which is `artist`
        pa.field("genres", _TEXTS),  # all genres, the first of which is `label`
        # version 3
        pa.field("isrc", pa.string()),  # International Standard Recording Code: 12 characters, no hyphens
        pa.field("musicbrainz_id", pa.string()),  # of the recording: a UUID in lower case
    ]
)

# The tracks of other systems: `pipeline/aliases.py` matches them. Each part belongs to one namespace and is sorted by
# `external_id`; the manifest's config says which parts are of which namespace.
ALIASES = pa.schema(
    [
        _required("namespace", pa.string()),
        _required("external_id", pa.string()),  # unique within its namespace
        _required("track_id", pa.string()),
        _required("matched_by", pa.string()),  # track_id, isrc, musicbrainz, path or metadata
    ]
)

MELS = pa.schema(
    [
        _required("track_id", pa.string()),
        _required("clip", pa.int16()),
        _required("start_s", pa.float32()),
        _required("peak_db", pa.float32()),  # dB of the clip's loudest bin, reference 1.0
        _required("padded", pa.bool_()),  # the track is shorter than a clip
        # (128, 130) row-major, one byte each; dB below the clip's peak: -80 + code * 80 / 255
        _required("mel", pa.binary(N_MELS * N_FRAMES)),
    ]
)
# Version 1 had a list of numbers, which Parquet stores as 32-bit integers: 1.3 times the bytes, 8 times the time.
_MEL_V1 = pa.list_(pa.field("element", pa.uint8(), nullable=False), N_MELS * N_FRAMES)

# `audio/health.py` defines the columns and their units. Null: unknown, or without meaning for this track.
HEALTH = pa.schema(
    [
        _required("track_id", pa.string()),
        pa.field("container", pa.string()),
        pa.field("codec", pa.string()),
        pa.field("sample_rate", pa.int32()),
        pa.field("channels", pa.int16()),
        pa.field("bit_rate", pa.int32()),
        pa.field("claimed_s", pa.float64()),
        pa.field("duration_s", pa.float64()),
        pa.field("examined_s", pa.float64()),
        pa.field("mono_from", pa.string()),
        pa.field("peak", pa.float32()),
        pa.field("rms_dbfs", pa.float32()),
        pa.field("dc_offset", pa.float32()),
        pa.field("clipped_fraction", pa.float32()),
        pa.field("clipped_run", pa.int32()),
        pa.field("flat_fraction", pa.float32()),
        pa.field("zero_fraction", pa.float32()),
        pa.field("zero_run_s", pa.float32()),
        pa.field("channel_difference_db", pa.float32()),
        pa.field("correlation", pa.float32()),
        pa.field("cutoff_hz", pa.float32()),
        pa.field("noise_floor_dbfs", pa.float32()),
        pa.field("hum_db", pa.float32()),
        # version 2
        pa.field("fall_db", pa.float32()),
        pa.field("burst_db", pa.float32()),
        pa.field("click_db", pa.float32()),
        pa.field("repeat", pa.float32()),
        pa.field("hum_line_db", pa.float32()),
        pa.field("bandwidth_hz", pa.float32()),
        pa.field("edge_db", pa.float32()),
        pa.field("flatness_db", pa.float32()),
        pa.field("flicker_db", pa.float32()),
        pa.field("distinct_fraction", pa.float32()),
        pa.field("quiet_fraction", pa.float32()),
        pa.field("tail_s", pa.float32()),
        # version 3
        pa.field("resyncs", pa.int32()),
        pa.field("missing_s", pa.float32()),
    ]
)

REJECTS = pa.schema(
    [
        *(_required(name, pa.string()) for name in ("track_id", "stage", "reason", "detail")),
        # version 2
        pa.field("attempts", pa.int32()),  # how often a reason of the moment was met; null for a reason of the file
        pa.field("retry_at", pa.timestamp("us", "UTC")),  # until then the track is not tried again; null: never again
    ]
)

EMBEDDINGS = pa.schema(
    [
        _required("track_id", pa.string()),
        _required("embedding", pa.list_(pa.field("element", pa.float32(), nullable=False), EMBEDDING_DIM)),
        _required("n_clips", pa.int16()),
        _required("padded", pa.bool_()),
        _required("reconstruction_error", pa.float32()),  # mean squared error per input bin, normalized units
        _required("spread", pa.float32()),  # distance of the clips from their mean; 0: all clips are equal
    ]
)

# New tracks for each listener, best first. `recommend/scorer.py` defines the scores; `others` is null if the log has
# too few listeners.
RECOMMENDATIONS = pa.schema(
    [
        _required("listener_id", pa.string()),
        _required("rank", pa.int32()),  # from 1
        _required("track_id", pa.string()),
        _required("score", pa.float32()),
        _required("fit", pa.float32()),
        pa.field("others", pa.float32()),
        _required("taste", pa.int16()),  # which of the listener's tastes, 1 the largest
        _required("because", _TEXTS),  # played track_ids
    ]
)

# One row per track and check that examined it. `screening/findings.py` defines the columns.
FINDINGS = pa.schema(
    [
        _required("track_id", pa.string()),
        _required("check", pa.string()),
        pa.field("score", pa.float32()),  # null: the check cannot tell
        _required("is_issue", pa.bool_()),
        pa.field("group", pa.string()),
        pa.field("suggestion", pa.string()),
        pa.field("confidence", pa.float32()),
        pa.field("evidence", pa.string()),  # JSON
    ]
)

# One row per check of a screening: its threshold, its self-test, and what it left out.
SCREENINGS = pa.schema(
    [
        _required("check", pa.string()),
        _required("threshold", pa.float32()),
        _required("measured", pa.string()),  # JSON: results of the self-test
        _required("omitted", _TEXTS),
    ]
)

# The nearest tracks of each track, closest first.
SIMILAR = pa.schema(
    [
        _required("track_id", pa.string()),
        _required("rank", pa.int32()),  # from 1
        _required("neighbor", pa.string()),  # track_id
        _required("score", pa.float32()),  # cosine
    ]
)

# The playlists of a config, in the order of the config.
PLAYLISTS = pa.schema(
    [
        _required("playlist", pa.string()),
        _required("position", pa.int32()),  # from 1
        _required("track_id", pa.string()),
        pa.field("step", pa.float32()),  # angle to the previous track, radians; null for the first
        _required("waypoint", pa.bool_()),
        _required("gave_way", _TEXTS),  # rules it could not keep
    ]
)

# Tempos of the tracks that playlists needed, estimated by librosa: see `playlists/tempos.py`.
TEMPOS = pa.schema(
    [
        _required("content_hash", pa.string()),
        pa.field("tempo", pa.float64()),  # BPM; null if there is no onset
    ]
)

RESIDUE_DIM = 83

# Decoder artifacts of a track, as `screening/generated/artifacts.py` defines them; NaN: not measurable. The dataset and
# its column keep the name of older versions.
RESIDUES = pa.schema(
    [
        _required("track_id", pa.string()),
        _required("residue", pa.list_(pa.field("element", pa.float32(), nullable=False), RESIDUE_DIM)),
    ]
)

# Files that a scan of the source has read, kept until it ends: see `pipeline/scans.py`.
SCANS = pa.schema(
    [
        _required("path", pa.binary()),  # UTF-8; bytes that are not are lone surrogates, encoded like other characters
        _required("size_bytes", pa.int64()),
        pa.field("modified_ns", pa.int64()),  # null: the file is to be read again
        _required("content_hash", pa.string()),
        pa.field("audio_hash", pa.string()),
        *(TRACKS.field(name) for name in ("title", "artists", "album", "genres", "year", "duration_s")),
        *(TRACKS.field(name) for name in ("isrc", "musicbrainz_id")),
    ]
)

# A finished step of a check that is not finished: each value is JSON or an array in NumPy's format.
STEPS = pa.schema([_required("name", pa.string()), pa.field("json", pa.string()), pa.field("array", pa.binary())])

# One row per run, also of those that failed: `pipeline/run_log.py` writes them. The texts of several values are JSON.
RUNS = pa.schema(
    [
        _required("run_id", pa.string()),  # of Prefect's flow run
        _required("flow", pa.string()),
        _required("started_at", pa.timestamp("us", "UTC")),
        _required("finished_at", pa.timestamp("us", "UTC")),
        _required("state", pa.string()),  # completed, completed with warnings, failed or stopped
        pa.field("error", pa.string()),
        _required("warnings", _TEXTS),
        _required("user", pa.string()),
        _required("host", pa.string()),
        _required("config_name", pa.string()),
        _required("config", pa.string()),  # JSON, without passwords
        _required("versions", pa.string()),  # JSON: package -> version
        _required("seconds", pa.string()),  # JSON: stage -> seconds
        _required("counts", pa.string()),  # JSON: stage -> what it counted
        _required("refs", pa.string()),  # JSON: stage -> the version that it published or found
        pa.field("rejects", pa.string()),  # JSON: reason -> tracks; null: not known
        pa.field("drift", pa.string()),  # JSON; null: not measured
    ]
)

# The entries of tracks in the inverted lists of a trained index, in the order of the embeddings. The `queries` are
# those of the training that the track may be a true neighbor of, with their cosines.
INDEX_LISTS = pa.schema(
    [
        _required("track_id", pa.string()),
        _required("list", pa.int32()),
        _required("code", pa.binary()),
        _required("refined", pa.binary()),  # empty: there is no `Refine`, or it keeps the embedding itself
        _required("queries", pa.list_(pa.field("element", pa.int32(), nullable=False))),
        _required("cosines", pa.list_(pa.field("element", pa.float32(), nullable=False))),
    ]
)

DATASETS: dict[str, Dataset] = {
    "tracks": Dataset(3, TRACKS, added=tuple(TRACKS.names[TRACKS.names.index("duplicate_of") + 1 :])),
    "mels": Dataset(2, MELS, former_types={"mel": _MEL_V1}),
    "health": Dataset(3, HEALTH, added=tuple(HEALTH.names[HEALTH.names.index("hum_db") + 1 :])),
    "rejects": Dataset(2, REJECTS, added=("attempts", "retry_at")),
    "embeddings": Dataset(1, EMBEDDINGS),
    "recommendations": Dataset(1, RECOMMENDATIONS, former_names=("coldstart",)),
    "findings": Dataset(1, FINDINGS),
    "screenings": Dataset(1, SCREENINGS),
    "similar": Dataset(1, SIMILAR),
    "playlists": Dataset(1, PLAYLISTS),
    "tempos": Dataset(1, TEMPOS),
    "aliases": Dataset(1, ALIASES),
    "residues": Dataset(1, RESIDUES),
    "steps": Dataset(1, STEPS),
    "scans": Dataset(1, SCANS),
    "index_lists": Dataset(1, INDEX_LISTS),
    "runs": Dataset(1, RUNS),
}


def schema_of(dataset: str) -> Dataset:
    """The contract of `dataset`. Raises `StoreError` if the dataset is unknown."""
    if dataset not in DATASETS:
        raise StoreError(f"no dataset {dataset!r}; wanted one of: {', '.join(DATASETS)}")
    return DATASETS[dataset]


def names_of(dataset: str) -> tuple[str, ...]:
    """The name of a dataset or artifact, and the names that it had before.

    >>> names_of("recommendations"), names_of("model")
    (('recommendations', 'coldstart'), ('model',))
    """
    return (dataset, *(DATASETS[dataset].former_names if dataset in DATASETS else ()))


def without_added(dataset: str, columns: Sequence[str] | None, stored: Sequence[str]) -> list[str] | None:
    """Those of the wanted `columns` that can be read from a part with the columns `stored`; None means all."""
    added = schema_of(dataset).added
    return None if columns is None else [name for name in columns if name in stored or name not in added]


def with_added(dataset: str, table: pa.Table, columns: Sequence[str] | None = None) -> pa.Table:
    """A table of any version upgraded to the current schema (or its wanted `columns`); missing columns are null.

    The columns are in the wanted order, so that parts of different versions make one table.

    >>> with_added("health", pa.table({"track_id": ["a"]}), ["fall_db", "track_id"]).to_pydict()
    {'fall_db': [None], 'track_id': ['a']}
    """
    schema, added = schema_of(dataset).schema, schema_of(dataset).added
    for name, kind in schema_of(dataset).former_types.items():
        if name in table.column_names and table.schema.field(name).type.equals(kind):
            table = table.set_column(table.column_names.index(name), schema.field(name), _as_bytes(table[name]))
    missing = [name for name in added if name not in table.column_names and (columns is None or name in columns)]
    for name in missing:
        table = table.append_column(schema.field(name), pa.nulls(table.num_rows, schema.field(name).type))
    order = schema.names if columns is None else columns
    return table.select([name for name in order if name in table.column_names]) if missing else table


def _as_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of n uint8 as n bytes each; nothing is copied."""
    size = column.type.list_size
    chunks = []
    for values in (chunk.flatten() for chunk in column.chunks):
        n, start = len(values) // size, values.offset // size
        chunks.append(pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), n, [None, values.buffers()[1]], -1, start))
    return pa.chunked_array(chunks, pa.binary(size))


def check_schema(dataset: str, table: pa.Table, where: str) -> None:
    """Raise `StoreError`, naming the first wrong column, if `table` breaks the contract of `dataset`."""
    wanted, got = schema_of(dataset).schema, table.schema
    if got.names != wanted.names:
        missing, extra = sorted(set(wanted.names) - set(got.names)), sorted(set(got.names) - set(wanted.names))
        raise StoreError(f"{where}: wrong columns in {dataset}: missing {missing}, unknown {extra}")
    for field in wanted:
        if got.field(field.name).type != field.type:
            raise StoreError(f"{where}: {dataset}.{field.name} is {got.field(field.name).type}, wanted {field.type}")
        if not field.nullable and table[field.name].null_count:
            raise StoreError(f"{where}: {dataset}.{field.name} has {table[field.name].null_count} nulls, wanted none")
