"""The sample that a plan is measured on: random files of a config's source, or random tracks of a store.

Conventions
-----------
- `Subject.paths` are in random order: any first part of them is a random sample.
- A subject's config is the user's, so that files become clips, and clips become embeddings, as they will in the run.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from audioae.audio.remote import is_remote
from audioae.catalog.paths import paths_of
from audioae.catalog.sources import CatalogConfig
from audioae.config import parse_config
from audioae.errors import ConfigError
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

SEED = 0
MOST = 20_000  # paths that are drawn; no measurement takes so many


@dataclass(frozen=True)
class Subject:
    """Files to measure on, and the config to measure with.

    Attributes
    ----------
    config : PipelineConfig
    paths : list of str
        In random order.
    n_listed : int
        Tracks that the paths were drawn from.
    origin : str
        Where they come from, for people.
    """

    config: PipelineConfig
    paths: list[str]
    n_listed: int
    origin: str


def subject_of_config(config: PipelineConfig) -> Subject:
    """The files of `config.catalog`, of which none is opened.

    Raises
    ------
    ConfigError
        If the source does not exist or has no audio.
    """
    from audioae.catalog.listing import iter_paths

    paths, n_listed = draw(chain.from_iterable(iter_paths(config.catalog)))
    return Subject(config, paths, n_listed, config.catalog.source)


def subject_of_store(store: Store) -> Subject:
    """The tracks of a store, with the settings that its current versions were made with.

    Raises
    ------
    StoreError
        If the store has no catalog.
    """
    tracks = store.require("tracks")
    drawn, n_listed = draw(_paths(store, tracks))
    paths = [path for path in drawn if is_remote(path) or Path(path).is_file()]
    if not paths:
        raise ConfigError(
            f"{store.root}: none of its {n_listed} files is where it was, so nothing can be measured; mount the "
            "source, or give a config instead of --from"
        )
    return Subject(_config_of(store, tracks), paths, n_listed, store.root)


def draw(paths: Iterable[str], most: int = MOST) -> tuple[list[str], int]:
    """At most `most` of the paths, chosen at random and in random order; and the number of all paths.

    Source: Vitter 1985, algorithm R, which holds only what it has chosen.

    >>> [len(chosen) for chosen, _ in (draw("abc"), draw("abc", 2))], draw("abc")[1]
    ([3, 2], 3)
    """
    rng, kept, n = random.Random(SEED), [], 0
    for n, path in enumerate(paths, 1):
        if len(kept) < most:
            kept.append(path)
        elif (place := rng.randrange(n)) < most:
            kept[place] = path
    rng.shuffle(kept)
    return kept, n


def _paths(store: Store, tracks: DatasetRef) -> Iterator[str]:
    for rows in store.iter_parts(tracks, ["uri", "path_bytes", "duplicate_of"]):
        yield from paths_of(rows.filter(rows["duplicate_of"].is_null()))


def sample_config(config: PipelineConfig, manifest: Path) -> PipelineConfig:
    """`config` on the files that `manifest` lists, in one shard."""
    catalog = CatalogConfig(source=str(manifest), root="/", min_shards=1, tag_limits=config.catalog.tag_limits)
    return config.model_copy(update={"catalog": catalog})


def _config_of(store: Store, tracks: DatasetRef) -> PipelineConfig:
    sections: dict[str, Any] = {"store": store.root, "catalog": _catalog_settings(store.manifest(tracks).config)}
    if model := store.latest("model"):
        made_with = store.manifest(model).config
        sections |= {"model": made_with["model"], "train": made_with["train"]}
        if "mels" in made_with:
            sections["mels"] = made_with["mels"]
    if index := store.latest("index"):
        sections["index"] = store.manifest(index).config
    return parse_config(PipelineConfig, sections, where=f"settings of {store.root}")


def _catalog_settings(stored: dict[str, Any]) -> dict[str, Any]:
    """The settings that differ from their defaults: those of a folder must not name those of a manifest."""
    fields = CatalogConfig.model_fields
    given = {name: value for name, value in stored.items() if name in fields}
    defaults = CatalogConfig(source=str(given["source"])).model_dump(mode="json")
    return {name: value for name, value in given.items() if name == "source" or value != defaults[name]}
