"""The stages that work by shard: which shards are pending, how some are computed, and how the result is published.

Conventions
-----------
- A stage is its name, the config and the refs of its inputs. Nothing else crosses to another process or machine.
- Any two processes may compute the same shard: a part is written once, and its bytes are the same.
- Every call opens the store anew, so it sees what other processes have written.

Why: Prefect's tasks on one machine or on Dask (`common.map_groups`) and `--shards i/n` (`shares.py`) are ways to divide
this work. This module imports neither Prefect nor Dask.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from audioae.errors import IncompleteError, StoreError
from audioae.progress import Advance
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@dataclass(frozen=True)
class ShardedStage(ABC):
    """One stage on given inputs.

    Attributes
    ----------
    config : PipelineConfig
    refs : dict of str to DatasetRef
        The inputs, one for each dataset in `NEEDS`.
    """

    config: PipelineConfig
    refs: dict[str, DatasetRef]

    NAME: ClassVar[str]
    UNIT: ClassVar[str]
    """What `compute` counts, such as "tracks decoded"."""
    NEEDS: ClassVar[dict[str, str]]
    """The datasets that are read, and the stage that publishes each."""

    def is_prepared(self) -> bool:
        """Whether what all shards need is there."""
        return True

    def prepare(self) -> None:
        """Make what all shards need, where it is not there. One process does it, before any shard is computed."""
        raise NotImplementedError(f"{self.NAME} needs no preparation")

    @abstractmethod
    def shards(self) -> list[int]:
        """All shards of the stage, ascending."""

    @abstractmethod
    def pending(self) -> list[int]:
        """The shards that are to be computed, ascending."""

    @abstractmethod
    def compute(self, shards: Sequence[int], on_progress: Advance | None = None) -> int:
        """Compute and write the parts of `shards`; returns the number of results."""

    @abstractmethod
    def commit(self) -> DatasetRef:
        """Publish the result. Raises `IncompleteError` while a shard is missing."""

    @property
    def store(self) -> Store:
        return Store(self.config.store)


class Mels(ShardedStage):
    """Decode every track: `mels`, `health` and `rejects`."""

    NAME = "mels"
    UNIT = "tracks decoded"
    NEEDS: ClassVar = {"tracks": "catalog"}

    def is_prepared(self) -> bool:
        from audioae.pipeline.network import find_network

        extra = self.config.embedding.extra
        return extra is None or extra.window is None or find_network(self.store, extra) is not None

    def prepare(self) -> None:
        self._network()

    def shards(self) -> list[int]:
        from audioae.pipeline.mels import plan_mels

        return plan_mels(self.store, self.config.mels, self.refs["tracks"])

    def pending(self) -> list[int]:
        from audioae.pipeline.mels import pending_mels

        retry = self.config.run.decode_workers.retry
        return pending_mels(self.store, self.config.mels, self.refs["tracks"], retry, network=self._network())

    def compute(self, shards: Sequence[int], on_progress: Advance | None = None) -> int:
        from audioae.pipeline.mels import compute_mels

        inputs = self.store, self.config.mels, self.refs["tracks"], shards, self.config.run.decode_workers
        return compute_mels(*inputs, on_progress, network=self._network())

    def commit(self) -> DatasetRef:
        from audioae.pipeline.mels import commit_mels

        limit, network = self.config.max_reject_rate, self._network()
        return commit_mels(self.store, self.config.mels, self.refs["tracks"], max_reject_rate=limit, network=network)

    def _network(self) -> DatasetRef | None:
        from audioae.pipeline.network import publish_network

        return publish_network(self.store, self.config.embedding.extra)


class Embed(ShardedStage):
    """Embed every track, from stored mels where they exist and from audio elsewhere: `embeddings`."""

    NAME = "embed"
    UNIT = "tracks embedded"
    NEEDS: ClassVar = {"tracks": "catalog", "model": "train"}

    def shards(self) -> list[int]:
        from audioae.pipeline.shards import shard_numbers

        return shard_numbers(self.store, self.refs["tracks"])

    def pending(self) -> list[int]:
        from audioae.pipeline.embed import pending_embeddings

        retry = self.config.run.decode_workers.retry
        return pending_embeddings(self.store, self.config.mels, self.refs["tracks"], self.refs["model"], retry)

    def compute(self, shards: Sequence[int], on_progress: Advance | None = None) -> int:
        from audioae.pipeline.embed import compute_embeddings

        inputs = self.config.mels, self.refs["tracks"], self.refs["model"]
        return compute_embeddings(self.store, *inputs, shards, self.config.run.decode_workers, on_progress)

    def commit(self) -> DatasetRef:
        from audioae.pipeline.embed import commit_embeddings

        inputs = self.config.mels, self.refs["tracks"], self.refs["model"]
        return commit_embeddings(self.store, *inputs, max_reject_rate=self.config.max_reject_rate)


class Index(ShardedStage):
    """Build the index: `index`. It is trained once, then its lists are filled by shard; a small one takes one pass."""

    NAME = "index"
    UNIT = "tracks indexed"
    NEEDS: ClassVar = {"embeddings": "embed"}

    def is_prepared(self) -> bool:
        from audioae.pipeline.index import find_index
        from audioae.pipeline.index_lists import find_training, needs_training

        inputs = self.store, self.config.index, self.refs["embeddings"]
        return bool(find_index(*inputs)) or not needs_training(*inputs) or find_training(*inputs) is not None

    def prepare(self) -> None:
        from audioae.pipeline.index_lists import train_index

        train_index(self.store, self.config.index, self.refs["embeddings"])

    def shards(self) -> list[int]:
        from audioae.pipeline.index_lists import needs_training
        from audioae.pipeline.shards import shard_of

        store, embeddings = self.store, self.refs["embeddings"]
        by_shard = needs_training(store, self.config.index, embeddings)
        return [shard_of(part.name) for part in store.manifest(embeddings).parts] if by_shard else []

    def pending(self) -> list[int]:
        from audioae.pipeline.index import find_index
        from audioae.pipeline.index_lists import pending_index

        store, embeddings = self.store, self.refs["embeddings"]
        if find_index(store, self.config.index, embeddings):
            return []
        return pending_index(store, embeddings, self._training())

    def compute(self, shards: Sequence[int], on_progress: Advance | None = None) -> int:
        from audioae.pipeline.index_lists import compute_index

        training = self._training()
        return compute_index(self.store, self.refs["embeddings"], training, shards, on_progress) if training else 0

    def commit(self) -> DatasetRef:
        from audioae.pipeline.index import commit_index

        if missing := self.pending():
            raise IncompleteError(f"the lists of {len(missing)} shards of the index are missing; run it again")
        embeddings, workers = self.refs["embeddings"], self.config.run.local_workers
        return commit_index(self.store, self.config.index, embeddings, self._training(), workers=workers)

    def _training(self) -> DatasetRef | None:
        from audioae.pipeline.index_lists import find_training, needs_training

        inputs = self.store, self.config.index, self.refs["embeddings"]
        return find_training(*inputs) if needs_training(*inputs) else None


class Similar(ShardedStage):
    """The nearest tracks of every track: `similar`. Its shards are blocks of tracks, in the order of the embeddings."""

    NAME = "similar"
    UNIT = "tracks"
    NEEDS: ClassVar = {"index": "index"}

    def shards(self) -> list[int]:
        from audioae.similarity.table import BLOCK

        store = self.store
        n_tracks = store.manifest(store.manifest(self.refs["index"]).parent("embeddings")).rows
        return list(range(-(-n_tracks // BLOCK)))

    def pending(self) -> list[int]:
        from audioae.similarity.table import pending_similar

        return pending_similar(self.store, self.config.similar, self.refs["index"])

    def compute(self, shards: Sequence[int], on_progress: Advance | None = None) -> int:
        from audioae.similarity.table import compute_similar

        return compute_similar(self.store, self.config.similar, self.refs["index"], shards)

    def commit(self) -> DatasetRef:
        from audioae.similarity.table import commit_similar

        if missing := self.pending():
            raise IncompleteError(f"{len(missing)} blocks of similar are missing; nothing was published, run it again")
        return commit_similar(self.store, self.config.similar, self.refs["index"])


SHARDED: dict[str, type[ShardedStage]] = {stage.NAME: stage for stage in (Mels, Embed, Index, Similar)}


def sharded_stage(name: str, config: PipelineConfig, **refs: str | None) -> ShardedStage:
    """The stage `name` (a key of `SHARDED`) on the inputs `refs`; an input that is not given is the current version.

    Raises
    ------
    StoreError
        If an input was never published; the message names the stages to run first.
    """
    stage, store = SHARDED[name], Store(config.store)
    missing = [dataset for dataset in stage.NEEDS if not refs.get(dataset) and not store.list_manifests(dataset)]
    if missing:
        commands = " and ".join(f"`audioae run {stage.NEEDS[dataset]} CONFIG`" for dataset in missing)
        raise StoreError(
            f"{store.storage.locate('')}: {name} needs {' and '.join(stage.NEEDS)}, but the store has no "
            f"{' and no '.join(missing)} yet; run {commands} first, once, or the whole chain (`audioae run CONFIG`)"
        )
    given = {dataset: refs.get(dataset) for dataset in stage.NEEDS}
    return stage(config, {name: DatasetRef.parse(ref) if ref else store.require(name) for name, ref in given.items()})
