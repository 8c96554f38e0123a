"""Shard plans and the decoded files of their tracks: planned one after another, decoded without a pause between shards.

Conventions
-----------
- A shard is planned when the decoders need more files, or when its turn comes. So what is in memory does not depend on
  the number of shards: at most `AHEAD` plans, and the results that `imap_killable` holds.
- The decoders pause only after `AHEAD` shards with nothing to decode.
"""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from audioae.audio.config import NO_LIMITS
from audioae.catalog.paths import paths_of
from audioae.errors import AudioError
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.network import TrackVector, extract_with_vector, load
from audioae.pipeline.shard_plan import ShardPlan
from audioae.store.manifest import DatasetRef

if TYPE_CHECKING:
    from audioae.audio.extract import Extracted

AHEAD = 8  # shards that are planned before their turn

Decoded = Iterator[tuple[str, "Extracted | tuple[Extracted, TrackVector] | AudioError"]]


def iter_decoded(
    plans: Iterator[ShardPlan], config: MelsConfig, workers: Workers, root: str, network: DatasetRef | None
) -> Iterator[tuple[ShardPlan, Decoded]]:
    """Yield each plan with the results of the tracks to decode, in their order; take all before the next plan.

    Of the tracks that have no vector of `network` in the store `root`, results are pairs with a `TrackVector`.
    """
    from audioae.audio.extract import extract
    from audioae.audio.workers import imap_killable

    ahead: deque[ShardPlan] = deque()  # their files are on the way to the decoders

    def files(plan: ShardPlan | None) -> Iterator[tuple[str, tuple]]:
        while plan:
            for track_id, path in zip(plan.todo["track_id"].to_pylist(), paths_of(plan.todo), strict=True):
                missing = network if track_id not in plan.have_vectors else None
                also = (NO_LIMITS, root, missing) if network else ()
                yield track_id, (path, config.clips, config.decode, *also)
            plan = next(plans, None) if len(ahead) < AHEAD else None
            if plan:
                ahead.append(plan)

    decoded: Decoded = iter(())
    while True:
        is_on_the_way = bool(ahead)
        plan = ahead.popleft() if ahead else next(plans, None)
        if plan is None:
            return
        if plan.todo.num_rows and not is_on_the_way:
            options = {"workers": workers.n, "timeout_s": workers.timeout_s, "prepare": load if network else None}
            decoded = imap_killable(extract_with_vector if network else extract, files(plan), **options)
        yield plan, islice(decoded, plan.todo.num_rows)
