"""The sample that a plan is measured on: random files of a config's source, or random tracks of a store.

Conventions
-----------
- `Subject.paths` are in random order: any first part of them is a random sample.
- A subject's config is the user's, so that files become clips, and clips become embeddings, as they will in the run.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    catalog = config.catalog
    paths = [path for block in iter_paths(catalog) for path in block]
    return Subject(config, _shuffled(paths), len(paths), catalog.source)


def subject_of_store(store: Store) -> Subject:
    """The tracks of a store, with the settings that its current versions were made with.

    Raises
    ------
    StoreError
        If the store has no catalog.
    """
    tracks = store.require("tracks")
    rows = store.read(tracks, ["uri", "path_bytes", "duplicate_of"])
    rows = rows.filter(rows["duplicate_of"].is_null())
    paths = [path for path in paths_of(rows) if Path(path).is_file()]
    if not paths:
        raise ConfigError(
            f"{store.root}: none of its {rows.num_rows} files is where it was, so nothing can be measured; "
            "mount the source, or give a config instead of --from"
        )
    return Subject(_config_of(store, tracks), _shuffled(paths), rows.num_rows, store.root)


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


def _shuffled(paths: list[str]) -> list[str]:
    return random.Random(SEED).sample(paths, min(len(paths), MOST))
