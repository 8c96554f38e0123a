"""The plan of one shard: which results are copied, and which tracks are decoded.

Conventions
-----------
- What is wrong with a file itself is copied from any extraction of its audio; then results are taken where they exist.
- With a network of waveforms, mels count only where the track's vector exists too: the vector needs the file.
- Of the other tracks, those whose failure waits for another try keep it (see `failures.py`); the rest is decoded.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.errors import DamageError
from audioae.pipeline.config import Retry
from audioae.pipeline.extraction import decodable, extraction_fingerprint
from audioae.pipeline.failures import due, failures_in, is_published, may_try_again
from audioae.pipeline.reuse import Copy, History, same_audio
from audioae.pipeline.shards import part_fingerprint, shard_of
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

# A dataset with results of tracks, and how the name of its part follows from the name of the extraction.
Results = tuple[str, Callable[[str], str]]
MELS_PART: Results = ("mels", str)
VECTORS = "network_vectors"


@dataclass
class ShardPlan:
    """Where the results of a shard's tracks come from.

    Attributes
    ----------
    shard : int
    whole : str
        The name of the whole extraction.
    tracks, todo : pa.Table
        The tracks that count (no exact duplicates), and those of them that are decoded.
    rejects : list of pa.Table
        Copied rows of `rejects`.
    copies, health : list of Copy
        Results that exist, and the evidence of the same tracks.
    vectors : list of Copy
        Vectors of the network that exist.
    attempts : dict
        By track_id, the number of runs in which a track that is tried again has failed.
    """

    shard: int
    whole: str
    tracks: pa.Table
    todo: pa.Table
    rejects: list[pa.Table] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    health: list[Copy] = field(default_factory=list)
    vectors: list[Copy] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)

    @property
    def track_ids(self) -> pa.Array:
        return self.tracks["track_id"].combine_chunks()

    @cached_property
    def have_vectors(self) -> set[str]:
        """The tracks in `vectors`."""
        return {track_id for copy in self.vectors for track_id in copy.ours.to_pylist()}


def plan_shard(
    history: History,
    shard: int,
    tracks: pa.Table,
    retry: Retry,
    results: Sequence[Results],
    network: DatasetRef | None = None,
) -> ShardPlan:
    """Plan a shard.

    Parameters
    ----------
    history : History
    shard : int
    tracks : pa.Table
        All rows of the shard.
    retry : Retry
    results : sequence of (dataset, function)
        Where results may be taken from, the best first: `MELS_PART` alone, or embeddings and then `MELS_PART`.
    network : DatasetRef, optional
        The network whose vectors are wanted too.
    """
    store, usable = history.store, decodable(tracks)
    plan = ShardPlan(shard, extraction_fingerprint(shard, tracks, history.config), usable, usable)
    candidates = list(_candidates(history, shard, tracks))
    left = set(usable["track_id"].to_pylist())
    for _, rows in candidates:
        _keep(plan, rows.filter(rows["attempts"].is_null()), left)
    if network:
        for rejects, _ in candidates:
            _take_vectors(store, plan, rejects, vectors_part(rejects.part, network), left)
    for dataset, part_of in results:
        blind = left - plan.have_vectors if network and dataset == "mels" else set()
        left -= blind
        for rejects, _ in candidates:
            _take_results(store, plan, rejects, dataset, part_of(rejects.part), left)
        left |= blind
    for rejects, rows in candidates:
        failed = _of(failures_in(rows), left - plan.attempts.keys())
        if failed.num_rows and is_published(store, rejects.part):
            again = pa.array(due(failed, retry) & may_try_again(store, rejects.part, embedding=results[0] != MELS_PART))
            tried = failed.filter(again)
            plan.attempts.update(zip(tried["track_id"].to_pylist(), tried["attempts"].to_pylist(), strict=True))
            _keep(plan, failed.filter(pc.invert(again)), left)
    plan.todo = _of(usable, left)
    return plan


def _candidates(history: History, shard: int, tracks: pa.Table) -> Iterator[tuple[Copy, pa.Table]]:
    """The rejects of each extraction that has audio of the shard; what is damaged is left out."""
    for known in history.of(shard, tracks):
        rejects = _rejects(known.name, decodable(tracks), known.tracks)
        with contextlib.suppress(DamageError):
            rows = rejects.read(history.store)
            yield rejects, rows.filter(pc.not_equal(rows["reason"], "too_short")) if known.wanted_longer else rows


def _rejects(name: str, tracks: pa.Table, known: pa.Table) -> Copy:
    """The rejects of an extraction, with each of its tracks that has the audio of one of `tracks`."""
    rows = same_audio(tracks, known)
    theirs, ours = np.unique(rows, return_index=True)
    theirs, ours = theirs[theirs >= 0], ours[theirs >= 0]
    ids = (table["track_id"].combine_chunks().take(pa.array(at)) for table, at in ((known, theirs), (tracks, ours)))
    return Copy("rejects", name, *ids)


def _of(rows: pa.Table, track_ids: Set[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows["track_id"], value_set=pa.array(track_ids, pa.string())))


def _keep(plan: ShardPlan, rows: pa.Table, left: set[str]) -> None:
    """Copy those rows of `rejects` whose tracks are left, and take them out of `left`."""
    plan.rejects.append(_of(rows, left))
    left -= set(rows["track_id"].to_pylist())


def _take_vectors(store: Store, plan: ShardPlan, rejects: Copy, part: str, wanted: Set[str]) -> None:
    """Copy the vectors in `part` of the tracks that have none yet."""
    taken = {track_id for copy in plan.vectors for track_id in copy.ours.to_pylist()}
    if wanted <= taken or not store.has_part(VECTORS, part):
        return
    with contextlib.suppress(DamageError):
        stored = set(store.read_part(VECTORS, part, ["track_id"])["track_id"].to_pylist())
        pairs = zip(rejects.theirs.to_pylist(), rejects.ours.to_pylist(), strict=True)
        if pairs := [(theirs, ours) for theirs, ours in pairs if theirs in stored and ours in wanted - taken]:
            plan.vectors.append(Copy(VECTORS, part, *(pa.array(ids, pa.string()) for ids in zip(*pairs, strict=True))))


def vectors_part(extraction: str, network: DatasetRef) -> str:
    """Name the part of `network_vectors` that `network` makes of the files of an extraction."""
    return part_fingerprint(shard_of(extraction), [extraction, str(network)])


def _take_results(store: Store, plan: ShardPlan, rejects: Copy, dataset: str, part: str, left: set[str]) -> None:
    """Copy the results in `part` of the tracks that are left, and take them out of `left`."""
    if not left or not store.has_part(dataset, part):
        return
    try:
        stored: set[str] = set()
        for block in store.part_blocks(dataset, part, ["track_id"], rows=1 << 16):
            stored.update(block["track_id"].unique().to_pylist())
        stored &= set(store.read_part("health", rejects.part, ["track_id"])["track_id"].to_pylist())
    except DamageError:
        return
    pairs = zip(rejects.theirs.to_pylist(), rejects.ours.to_pylist(), strict=True)
    pairs = [(theirs, ours) for theirs, ours in pairs if theirs in stored and ours in left]
    if pairs:
        theirs, ours = (pa.array(ids, pa.string()) for ids in zip(*pairs, strict=True))
        plan.copies.append(Copy(dataset, part, theirs, ours))
        plan.health.append(Copy("health", rejects.part, theirs, ours))
        left -= set(ours.to_pylist())
