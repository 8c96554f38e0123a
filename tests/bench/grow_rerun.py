"""Cases of growth: a run that finds nothing to do, and a run on a catalog with 1 % new tracks.

Conventions
-----------
- The store is that of `tests.pipeline.made_chain`, from `tracks` to `embeddings`, with shards of 1,000 tracks; it is
  made once per size, beside `root`.
- Measured are the four functions of the stages mels and embed that look at every shard, each with a new `Store`, and
  `audioae verify`'s check.
"""

from collections.abc import Iterator
from pathlib import Path

from audioae.pipeline.embed import commit_embeddings, pending_embeddings
from audioae.pipeline.mels import commit_mels, pending_mels
from audioae.store.dataset import Store
from audioae.store.fsck import check_current
from audioae.store.manifest import DatasetRef
from tests.pipeline.made_chain import CONFIG, made_chain, made_parts, made_tracks

SHARD_TRACKS = 1000


def rerun(root: Path, n: int) -> Iterator[None]:
    """Find that nothing is to be done, and publish the same versions again."""
    store, tracks, model, embeddings = chain_store(root, n)
    yield
    assert _pending(store.root, tracks, model) == ([], [])
    assert _commit(store.root, tracks, model) == embeddings


def grown(root: Path, n: int) -> Iterator[None]:
    """Find the shards of 1 % new tracks, and publish when their parts are there."""
    store, tracks, model, _ = chain_store(root, n)
    before = n // SHARD_TRACKS
    new = list(range(before, before + max(1, before // 100)))
    more = made_tracks(store, len(new) + before, SHARD_TRACKS)
    made_parts(store, more, model, new)
    yield
    assert _pending(store.root, more, model) == ([], [])
    assert store.manifest(_commit(store.root, more, model)).parents["tracks"] == more.version
    store.make_current(tracks)


def verify(root: Path, n: int) -> Iterator[None]:
    """`audioae verify`."""
    store, *_ = chain_store(root, n)
    yield
    assert check_current(Store(store.root)) == []


def chain_store(root: Path, n: int) -> tuple[Store, DatasetRef, DatasetRef, DatasetRef]:
    """A store of n tracks, and its tracks, model and embeddings."""
    store, shards = Store(f"{root}-chain"), n // SHARD_TRACKS
    if not store.latest("embeddings"):
        made_chain(store, shards, SHARD_TRACKS)
    tracks = made_tracks(store, shards, SHARD_TRACKS)
    model = store.require("model")
    return store, tracks, model, _commit(store.root, tracks, model)


def _pending(root: str, tracks: DatasetRef, model: DatasetRef) -> tuple[list[int], list[int]]:
    return pending_mels(Store(root), CONFIG, tracks), pending_embeddings(Store(root), CONFIG, tracks, model)


def _commit(root: str, tracks: DatasetRef, model: DatasetRef) -> DatasetRef:
    commit_mels(Store(root), CONFIG, tracks, max_reject_rate=0.5)
    return commit_embeddings(Store(root), CONFIG, tracks, model, max_reject_rate=0.5)
