"""The stages, by name, with one line each. Light: `audioae --help` and completion read it."""

STAGES = {
    "catalog": "Scan the source and publish `tracks`.",
    "mels": "Decode every track once and publish `mels`, `health` and `rejects`.",
    "train": "Train the model on the stored mels and publish `model`.",
    "embed": "Embed every track and publish `embeddings`.",
    "index": "Build a FAISS index and publish it if it passes its gate.",
    "map": "Lay out all tracks on a map with named regions and publish `map`, for the explorer.",
    "screen": "Run the checks on the catalog and publish `findings`.",
    "similar": "Publish the nearest tracks of every track as a table, `similar`.",
    "playlists": "Build the playlists of the config and publish them as a table, `playlists`.",
    "recommend": "Recommend new tracks to every listener of a play log and publish them as a table.",
}
PIPELINE = "Run catalog, mels, train, embed, index, map and screen. A rerun computes only what is missing."
FLOWS = {"pipeline": PIPELINE, **STAGES}
"""Every flow: the stages and the whole chain."""

SHARDS_HELP = (
    "Compute share I of N of a stage that works by shard (mels, embed, index, similar), as one job of a job array, "
    "without Prefect; the last share to finish publishes. `auto` takes I and N from the array (Slurm, AWS Batch, "
    "Google Cloud), `auto/N` only I (Kubernetes)."
)
