"""Everything that a store knows about one track, stage by stage, with the dataset or file that holds it."""

from typing import Any

import pyarrow.compute as pc  # its functions are made at import

from audioae.constants import EMBEDDING_DIM
from audioae.library.generation import Generation
from audioae.library.records import Track
from audioae.pipeline.accounting import failed_words
from audioae.pipeline.extraction import find_extraction
from audioae.pipeline.shards import iter_shards
from audioae.screening.findings import Findings
from audioae.similarity.search import Options, similar

SHOWN_VALUES = 6
NEIGHBOR_COLUMNS = ("rank", "score", "track_id", "title", "artist", "label")
FINDING_COLUMNS = ("check", "is_issue", "score", "suggestion", "confidence", "why", "verdict")


def explain_track(library: Generation, query: str, k: int = 5) -> dict[str, Any]:
    """Explain one track.

    Returns
    -------
    sections : dict of str
        track, state, health, clips, embedding, neighbors, findings, in this order and without those that do not exist.
        Each is a dict, or a list of rows.

    Raises
    ------
    SearchError
        If `query` matches no track, or several.
    """
    track = library.find(query)
    sections: dict[str, Any] = {"track": {"dataset": str(library.tracks_ref), **track}}
    reject = library.reject_of(track)
    embedding = library.embedding_row(track)
    if track.duplicate_of:
        sections["state"] = {"state": "duplicate_of", "same bytes as": track.duplicate_of}
    elif reject and reject["retry_at"]:
        state = f"pending: {failed_words(reject['attempts'])}, tried again after {reject['retry_at']:%F %R} UTC"
        sections["state"] = {"state": state, "dataset": str(library.rejects_ref), **reject}
    elif reject:
        sections["state"] = {"state": "rejected", "dataset": str(library.rejects_ref), **reject}
    else:
        sections["state"] = {"state": "embedded" if embedding else "pending"}
    if health := library.health_of(track):
        sections["health"] = health
    if clips := _clips(library, track):
        sections["clips"] = clips
    if embedding:
        values = ", ".join(f"{x:.3f}" for x in library.embedding_of(track)[:SHOWN_VALUES].tolist())
        sections["embedding"] = {
            "dataset": str(library.embeddings_ref),
            "model": str(library.model_ref),
            "index": str(library.index_ref),
            **{name: value for name, value in embedding.items() if name != "embedding"},
            "embedding": f"[{values}, ...] ({EMBEDDING_DIM})",
        }
        neighbors = similar(library, str(track.track_id), k, options=Options()).neighbors
        sections["neighbors"] = [{name: row[name] for name in NEIGHBOR_COLUMNS} for row in neighbors]
    if findings := _findings(library, track):
        sections["findings"] = findings
    return sections


def _findings(library: Generation, track: Track) -> list[dict[str, Any]]:
    """The result of each check for the track; empty if the store was not screened."""
    if (ref := library.store.latest("findings")) is None:
        return []
    rows = Findings(library.store, ref).of_track(str(track.track_id))
    return [{**{name: row[name] for name in FINDING_COLUMNS}, "dataset": str(ref)} for row in rows]


def _clips(library: Generation, track: Track) -> list[dict[str, Any]]:
    """The track's stored clips with the file that holds them; empty if its mels are not stored."""
    ((shard, tracks),) = iter_shards(library.store, library.tracks_ref, [track.shard or 0])
    name = find_extraction(library.store, "mels", shard, tracks, library.mels_config)
    if name is None:
        return []
    table = library.store.read_part("mels", name, ["track_id", "clip", "start_s", "peak_db", "padded"])
    rows = table.filter(pc.equal(table["track_id"], track.track_id)).drop_columns(["track_id"])
    return [{**row, "part": f"mels/parts/{name}.parquet"} for row in rows.to_pylist()]
