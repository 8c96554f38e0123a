"""What all endpoints share: the settings, the generation that is served, and the pools that compute."""

from dataclasses import dataclass

from audioae.serve.auth import Keys
from audioae.serve.config import ServeConfig
from audioae.serve.generations import Generations, Served
from audioae.serve.pools import Pool


@dataclass(frozen=True)
class Service:
    """One process's service.

    Parameters
    ----------
    config : ServeConfig
    keys : Keys
    generations : Generations
    pools : dict of str to Pool
        "search": in microseconds to milliseconds; "jobs": playlists, recommendations, lists; "decode": uploaded files.
    """

    config: ServeConfig
    keys: Keys
    generations: Generations
    pools: dict[str, Pool]

    def close(self) -> None:
        for pool in self.pools.values():
            pool.close()


def make_service(config: ServeConfig, first: Served, keys: Keys) -> Service:
    """A service that answers from `first`."""
    threads = {"search": config.threads, "jobs": config.threads, "decode": config.decoders}
    pools = {name: Pool(name, n, config.limits.queue) for name, n in threads.items()}
    return Service(config, keys, Generations(first), pools)
