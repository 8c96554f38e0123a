"""Shards are planned when the decoders need files, and the decoders do not pause between shards."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.decoding import AHEAD, iter_decoded
from audioae.pipeline.shard_plan import ShardPlan
from audioae.store.schemas import TRACKS


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces the decoders by some that draw 4 files ahead; lists what they have drawn."""
    drawn: list[str] = []

    def decode(_function, items, **_):
        waiting, items = [], iter(items)
        while True:
            while len(waiting) < 4 and (item := next(items, None)):
                waiting.append(item[0])
                drawn.append(item[0])
            if not waiting:
                return
            yield waiting.pop(0), "decoded"

    monkeypatch.setattr("audioae.audio.workers.imap_killable", decode)
    return drawn


def made_plans(planned: list[int], sizes: list[int]) -> Iterator[ShardPlan]:
    """Plans with so many files to decode; lists which have been made."""
    for shard, size in enumerate(sizes):
        planned.append(shard)
        rows = {name: [None] * size for name in TRACKS.names} | {"uri": ["/a"] * size, "shard": [shard] * size}
        rows["track_id"] = [f"{shard}:{i}" for i in range(size)]
        tracks = pa.table({name: pa.array(rows[name], TRACKS.field(name).type) for name in TRACKS.names})
        yield ShardPlan(shard, f"{shard}", tracks, tracks)


def run(planned: list[int], sizes: list[int]) -> Iterator[tuple[int, list[str]]]:
    for plan, decoded in iter_decoded(made_plans(planned, sizes), MelsConfig(), Workers(), "", None):
        yield plan.shard, [track_id for track_id, _ in decoded]


@pytest.mark.parametrize(
    "sizes", [[3, 0, 2, 5], [0, 0, 3], [1, *[0] * 30, 2], [0] * 20, [], [1] * 40, [9, 0, 0, 1, 0, 7, 0]]
)
def test_every_shard_gets_its_results(started: list[str], sizes: list[int]):
    wanted = [(shard, [f"{shard}:{i}" for i in range(size)]) for shard, size in enumerate(sizes)]
    assert list(run([], sizes)) == wanted
    assert started == [track_id for _, ids in wanted for track_id in ids], "no file was decoded twice"


def test_decoders_get_files_of_the_next_shard_while_they_work_on_one(started: list[str]):
    shards = run([], [6, 0, 6, 6])
    next(shards)
    assert len(started) == 9


def test_few_shards_are_planned_before_their_turn(started: list[str]):
    planned: list[int] = []
    sizes = [2, *[0] * 1000, 2]
    for shard, _ in run(planned, sizes):
        assert planned[-1] <= shard + AHEAD
    assert planned[-1] == 1001
