"""What all endpoints share: the settings, the generation that is served, and the pools that compute."""

import asyncio
import logging
import os
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from audioae.errors import AudioaeError, ConfigError
from audioae.screening.verdict_log import VerdictLog
from audioae.serve.auth import VARIABLE, Keys
from audioae.serve.config import ServeConfig
from audioae.serve.cut_cache import CutCache
from audioae.serve.cuts import Cuts
from audioae.serve.generations import Generations, Served
from audioae.serve.metrics import Metrics
from audioae.serve.pools import Pool
from audioae.serve.uploads import Uploads
from audioae.store.cache import cache_folder

_log = logging.getLogger(__name__)

FILES = 4  # files of the catalog that are read at the same time


@dataclass
class Service:
    """One process's service.

    Parameters
    ----------
    config : ServeConfig
    keys : Keys
        Replaced as a whole by `reload_keys`.
    generations : Generations
    pools : dict of str to Pool
        "search": in microseconds to milliseconds; "jobs": playlists, recommendations, lists; "decode": uploaded files;
        "clips": clips and spectrograms; "files": files of the catalog, as they are.
    metrics : Metrics
    uploads : Uploads
    cuts : Cuts
    verdicts : VerdictLog
    stopping : bool
        Whether the server is shutting down.
    """

    config: ServeConfig
    keys: Keys
    generations: Generations
    pools: dict[str, Pool]
    metrics: Metrics
    uploads: Uploads
    cuts: Cuts
    verdicts: VerdictLog
    stopping: bool = False

    async def reload(self, index: str | None = None) -> tuple[str, str]:
        """Read the keys again and serve `index`, or the newest; see `Generations.reload`."""
        self.reload_keys()
        return await self.generations.reload(index)

    def reload_keys(self) -> None:
        """Read the keys again; if that fails, the old ones stay."""
        try:
            keys = Keys.load(self.config.keys_file, os.environ.get(VARIABLE))
        except ConfigError as error:
            _log.error("the keys stay as they were: %s", error)
            return
        if keys:  # a server that began with keys may be reachable from outside
            self.keys = keys

    def beside(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What runs as long as the service does."""
        if self.config.warm_decoders:
            yield self.warm_decoders()
            yield self.cuts.warm()
        if self.config.follow_s is not None:
            yield self.generations.follow(self.config.follow_s)

    async def warm_decoders(self) -> None:
        """Start the decoding processes, one from each thread of their pool, so that uploads wait for these.

        What fails is logged: uploads fail with the same reason, and nothing else does.
        """
        library, pool = self.generations.current.library, self.pools["decode"]
        starts = [pool.run(lambda: library.warm_embedding(1)) for _ in range(self.config.decoders)]
        try:
            await asyncio.gather(*starts)
        except (AudioaeError, ModuleNotFoundError, RuntimeError) as error:
            _log.error("uploaded files cannot be decoded: %s", error)

    def close(self) -> None:
        for pool in self.pools.values():
            pool.close()
        self.generations.close()


def make_service(config: ServeConfig, first: Served, keys: Keys) -> Service:
    """A service that answers from `first`."""
    threads = {"search": config.threads, "jobs": config.threads, "decode": config.decoders}
    threads |= {"clips": config.clip_decoders, "files": FILES}
    pools = {name: Pool(name, n, config.limits.queue) for name, n in threads.items()}
    generations = Generations(first, config.store, pinned=config.index is not None)
    metrics = Metrics(generations)
    generations.counted = metrics.count_reload
    metrics.watch_queue(pools["decode"])
    cache = CutCache(cache_folder() / "clips", config.clip_cache_mb << 20)
    cuts = Cuts(pools["clips"], config.clip_decoders, cache, config.limits)
    verdicts = VerdictLog(first.library.store.storage)
    return Service(config, keys, generations, pools, metrics, Uploads(config.limits.uploads), cuts, verdicts)
