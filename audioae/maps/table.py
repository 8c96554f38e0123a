"""Stage map: the places of all tracks on a map, and its named regions.

Conventions
-----------
- The layout is fitted to a sample of the tracks; the others are placed among their neighbors in it, `BLOCK` tracks at a
  time, each block a part: memory does not grow with the catalog.
- A map starts from the last one, the current version of `map`, and is aligned with it. An index of the same embeddings
  takes the places of the last map over.
- The manifest's config has the settings, the last map, and what was measured. The last map is not a parent: `prune`
  keeps the parents of what it keeps, and would never delete a map.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.config import fingerprint
from audioae.library.track_vectors import catalog_rows
from audioae.maps.config import MapConfig
from audioae.maps.fitting import FittedMap, LastMap, no_last_map
from audioae.maps.names import decades, name_regions, traits_of
from audioae.maps.reader import open_map
from audioae.maps.regions import middles
from audioae.maps.sample import sample_rows
from audioae.pipeline.embeddings import iter_embeddings, take_embeddings
from audioae.progress import Progress
from audioae.search.embeddings import EmbeddingTable
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import MAP, REGIONS

CODE = 1  # increment when the same embeddings and the same last map would give another map
BLOCK = 100_000  # tracks per part
NAMED_BY = ["label", "artist", "year"]


def publish_map(store: Store, config: MapConfig, index: DatasetRef, progress: Progress | None = None) -> DatasetRef:
    """Publish the map of an index, as the datasets `regions` and `map`; one that exists is made current."""
    settings = config.model_dump(mode="json")
    recipe = fingerprint([CODE, settings, str(index)])
    if (made := store.find("map", recipe)) and _has_regions(store, made):
        return store.make_current(made)
    embeddings, last = store.manifest(index).parent("embeddings"), store.latest("map")
    parents = [index, embeddings, store.manifest(embeddings).parent("tracks")]
    if last and _is_of(store, last, embeddings, settings):
        manifest = store.manifest(last)
        return _commit(store, recipe, _names(store, last), manifest.config, parents, manifest.parent("regions"))
    stem = fingerprint([CODE, settings, str(embeddings), str(last)])
    rows = sample_rows(store, embeddings, config.sample)
    sample = take_embeddings(store, embeddings, rows)
    fitted = FittedMap(sample, config, _last_map(store, last, sample))
    names = _write_blocks(store, embeddings, stem, rows, fitted, progress or _no_progress)
    regions = _publish_regions(store, names, stem, sample, fitted, parents)
    about = {"settings": settings, "code": CODE, "last": str(last) if last else None}
    about |= {"next_region": fitted.next_region, "measured": fitted.measured}
    return _commit(store, recipe, names, about, parents, regions)


def _is_of(store: Store, last: DatasetRef, embeddings: DatasetRef, settings: dict[str, Any]) -> bool:
    """Whether a map is of these embeddings, with these settings."""
    manifest = store.manifest(last)
    same = manifest.config.get("settings") == settings and manifest.config.get("code") == CODE
    return same and manifest.parents["embeddings"] == embeddings.version and _has_regions(store, last)


def _has_regions(store: Store, ref: DatasetRef) -> bool:
    return store.has_version(store.manifest(ref).parent("regions"))


def _names(store: Store, ref: DatasetRef) -> list[str]:
    return [part.name.removesuffix(".parquet") for part in store.manifest(ref).parts]


def _last_map(store: Store, last: DatasetRef | None, sample: EmbeddingTable) -> LastMap:
    """What the last map says of the sample."""
    nothing = no_last_map(len(sample))
    if last is None:
        return nothing
    catalog = open_map(Store(store.root, verify=False), last)
    rows = catalog.ids.rows_of(sample.track_ids)
    known = rows >= 0
    nothing.places[known], nothing.region[known] = catalog.points[rows[known]], catalog.region[rows[known]]
    same_model = store.manifest(catalog.embeddings_ref).parents["model"] == sample.model.partition("@")[2]
    return nothing._replace(next_region=store.manifest(last).config["next_region"], same_model=same_model)


def _write_blocks(
    store: Store, embeddings: DatasetRef, stem: str, rows: np.ndarray, fitted: FittedMap, progress: Progress
) -> list[str]:
    """Write the parts of the map; returns their names."""
    total, names, start = store.manifest(embeddings).rows, [], 0
    for number, block in enumerate(iter_embeddings(store, embeddings, BLOCK)):
        names.append(f"{stem}-{number:05d}")
        if not store.has_part("map", names[-1]):
            store.write_part("map", names[-1], _places(block, start, rows, fitted))
        start += len(block)
        progress("tracks placed", start, total)
    return names


def _places(block: EmbeddingTable, start: int, rows: np.ndarray, fitted: FittedMap) -> pa.Table:
    """Rows of `map` for consecutive embeddings, the first of which is at `start`."""
    first, end = np.searchsorted(rows, [start, start + len(block)])
    own = rows[first:end] - start
    is_fitted = np.zeros(len(block), bool)
    is_fitted[own] = True
    places, region = np.empty((len(block), 2), np.float32), np.empty(len(block), np.int32)
    places[own], region[own] = fitted.places[first:end], fitted.region[first:end]
    places[~is_fitted], region[~is_fitted] = fitted.place(block.embeddings[~is_fitted])
    columns = [block.track_ids, *(pa.array(values) for values in (*places.T, region, is_fitted))]
    return pa.Table.from_arrays(columns, schema=MAP)


def _publish_regions(
    store: Store, names: list[str], stem: str, sample: EmbeddingTable, fitted: FittedMap, parents: list[DatasetRef]
) -> DatasetRef:
    """Publish the regions, largest first. They are named by the sample, and counted in the whole map."""
    sizes = np.zeros(fitted.next_region, np.int64)
    for region in _regions(store, names):
        sizes += np.bincount(region, minlength=len(sizes))
    traits = traits_of(fitted.region, _metadata(store, parents[-1], sample))
    order = [int(number) for number in np.argsort(-sizes, kind="stable") if number in traits]
    named, at = name_regions(order, traits), middles(fitted.region, fitted.places)
    rows = [
        {"region": i, "name": named[i], "n": int(sizes[i]), "x": at[i][0], "y": at[i][1], "traits": traits[i]}
        for i in order
    ]
    table = pa.Table.from_pylist(rows, schema=REGIONS)
    name = f"{stem}-regions"
    store.write_part("regions", name, table)
    return store.commit("regions", [name], recipe=stem, config={}, parents=parents)


def _regions(store: Store, names: list[str]) -> Iterator[np.ndarray]:
    for name in names:
        yield store.read_part("map", name, ["region"])["region"].to_numpy()


def _metadata(store: Store, tracks: DatasetRef, sample: EmbeddingTable) -> dict[str, pa.ChunkedArray]:
    """What the regions are named by, in the order of the sample; null where it is unknown."""
    catalog = catalog_rows(store, tracks, sample.track_ids, ["track_id", *NAMED_BY]).combine_chunks()
    catalog = catalog.take(pc.index_in(sample.track_ids, value_set=catalog["track_id"].combine_chunks()))
    return {"label": catalog["label"], "artist": catalog["artist"], "decade": decades(catalog["year"])}


def _commit(
    store: Store, recipe: str, names: list[str], about: dict[str, Any], parents: list[DatasetRef], regions: DatasetRef
) -> DatasetRef:
    return store.commit("map", names, recipe=recipe, config=about, parents=[*parents, regions])


def _no_progress(what: str, done: int, total: int) -> None:
    pass
