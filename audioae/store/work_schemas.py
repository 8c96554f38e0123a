"""Schemas of work in progress and of its record: steps, lists of an index, runs."""

import pyarrow as pa

from audioae.store.schema_fields import TEXTS, required

# A finished step of a check that is not finished: each value is JSON or an array in NumPy's format.
STEPS = pa.schema([required("name", pa.string()), pa.field("json", pa.string()), pa.field("array", pa.binary())])

# The entries of tracks in the inverted lists of a trained index, in the order of the embeddings. The `queries` are
# those of the training that the track may be a true neighbor of, with their cosines.
INDEX_LISTS = pa.schema(
    [
        required("track_id", pa.string()),
        required("list", pa.int32()),
        required("code", pa.binary()),
        required("refined", pa.binary()),  # empty: there is no `Refine`, or it keeps the embedding itself
        required("queries", pa.list_(pa.field("element", pa.int32(), nullable=False))),
        required("cosines", pa.list_(pa.field("element", pa.float32(), nullable=False))),
    ]
)

# One row per run, also of those that failed: `pipeline/run_log.py` writes them. The texts of several values are JSON.
RUNS = pa.schema(
    [
        required("run_id", pa.string()),  # of Prefect's flow run
        required("flow", pa.string()),
        required("started_at", pa.timestamp("us", "UTC")),
        required("finished_at", pa.timestamp("us", "UTC")),
        required("state", pa.string()),  # completed, completed with warnings, failed or stopped
        pa.field("error", pa.string()),
        required("warnings", TEXTS),
        required("user", pa.string()),
        required("host", pa.string()),
        required("config_name", pa.string()),
        required("config", pa.string()),  # JSON, without passwords
        required("versions", pa.string()),  # JSON: package -> version
        required("seconds", pa.string()),  # JSON: stage -> seconds
        required("counts", pa.string()),  # JSON: stage -> what it counted
        required("refs", pa.string()),  # JSON: stage -> the version that it published or found
        pa.field("rejects", pa.string()),  # JSON: reason -> tracks; null: not known
        pa.field("drift", pa.string()),  # JSON; null: not measured
    ]
)
