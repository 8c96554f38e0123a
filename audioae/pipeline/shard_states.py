"""The state of each shard: which extraction it has, and whether that one has failures to try again.

Conventions
-----------
- The name of an extraction follows from a shard's rows of `tracks`. A part of `tracks` that an earlier run has seen is
  not read again: the published `rejects` names the extraction of every part of the `tracks` it was made from. If its
  settings are those of now, one part is read to be sure that the code would still give that name.
- A shard without an extraction under a `min_s` below `SHORT_S` keeps the one that was made when that was the default,
  if it rejected no track as too short.
- Existence is a matter of listings, so the number of requests does not depend on the number of unchanged shards.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from audioae.errors import StoreError
from audioae.pipeline.config import MelsConfig, Retry
from audioae.pipeline.extraction import Extractions, extraction_fingerprint, is_partial, settings_of
from audioae.pipeline.failures import due, failures_in, may_try_again
from audioae.pipeline.retry_times import Times, is_due, read_times
from audioae.pipeline.shards import shard_of
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Part
from audioae.store.parallel import map_parallel

AUDIO_COLUMNS = ("track_id", "content_hash", "audio_hash", "duplicate_of")


def find_extractions(
    store: Store, config: MelsConfig, tracks: DatasetRef, shards: Sequence[int] | None, datasets: Sequence[str]
) -> dict[int, list[str]]:
    """The names of the extractions whose parts of all `datasets` exist, the best first, for each shard (None: all)."""
    existing = Extractions(
        set.intersection(*({name.removesuffix(".parquet") for name in store.list_parts(d)} for d in datasets))
    )

    def complete(whole: str) -> list[str]:
        return [name for name in existing.of(whole) if all(store.has_part(dataset, name) for dataset in datasets)]

    found = {shard: complete(whole) for shard, whole in whole_names(store, config, tracks, shards).items()}
    for earlier in settings_of(config)[1:]:
        missing = [shard for shard, names in found.items() if not names]
        others = {shard: complete(whole) for shard, whole in whole_names(store, earlier, tracks, missing).items()}
        kept = _without_short(store, {name for names in others.values() for name in names})
        found |= {shard: [name for name in names if name in kept] for shard, names in others.items()}
    return found


def whole_names(
    store: Store, config: MelsConfig, tracks: DatasetRef, shards: Sequence[int] | None = None
) -> dict[int, str]:
    """The name of the whole extraction of each shard (None: of all), in the order of the catalog."""
    wanted = None if shards is None else set(shards)
    parts = {shard_of(part.name): part for part in store.manifest(tracks).parts}
    parts = {shard: part for shard, part in parts.items() if wanted is None or shard in wanted}
    names: dict[int, str] = {}
    for known in _known_names(store, config):
        found = {shard: known[key] for shard, part in parts.items() if (key := _key(part)) in known}
        if news := found.keys() - names.keys():
            sample = {shard: parts[shard] for shard in sorted(news)[:1]}
            if all(found[shard] in now for shard, now in _read_names(store, config, sample)):
                names |= found
    unknown = {shard: part for shard, part in parts.items() if shard not in names}
    names |= {shard: now[0] for shard, now in _read_names(store, config, unknown)}
    return {shard: names[shard] for shard in parts}


def to_try_again(store: Store, names: Iterable[str], retry: Retry, *, embedding: bool) -> set[str]:
    """Those of the extractions `names` of which this stage (embedding, or else mels) tries a failure again."""
    partial = [name for name in names if is_partial(name) and may_try_again(store, name, embedding=embedding)]
    published = [name for name in partial if store.is_published("rejects", name)]
    times = known_times(store) if published else {}
    unread = [name for name in published if name not in times]
    failures = map_parallel(lambda name: failures_in(store.read_part("rejects", name)), unread)
    waiting = {name for name, rows in zip(unread, failures, strict=True) if not due(rows, retry).any()}
    waiting |= {name for name in published if name in times and not is_due(times[name], retry)}
    return set(partial) - waiting


def known_times(store: Store) -> dict[str, Times]:
    """When failures are tried again, by part of the current `rejects` and of that of the current embeddings."""
    return {name: times for ref in _rejects_refs(store) for name, times in read_times(store, ref).items()}


def _without_short(store: Store, names: set[str]) -> set[str]:
    """Those of the extractions `names` that rejected no track as too short."""
    ordered = sorted(names)
    reasons = map_parallel(lambda name: store.read_part("rejects", name, ["reason"])["reason"], ordered)
    return {name for name, of_part in zip(ordered, reasons, strict=True) if "too_short" not in of_part.to_pylist()}


def _known_names(store: Store, config: MelsConfig) -> Iterator[dict[tuple[str, str], str]]:
    """By part of `tracks`, the extractions in the current `rejects`, and in that of the current embeddings.

    Only of those that were made with the settings of now.
    """
    settings = config.model_dump(mode="json", include={"clips", "decode"})
    for ref in _rejects_refs(store):
        with contextlib.suppress(StoreError):  # pruned, or damaged
            rejects = store.manifest(ref)
            if any(rejects.config.get(name) != values for name, values in settings.items()):
                continue
            names = {shard_of(part.name): _whole(part.name) for part in rejects.parts}
            tracks = store.manifest(rejects.parent("tracks")).parts
            yield {_key(part): names[shard] for part in tracks if (shard := shard_of(part.name)) in names}


def _rejects_refs(store: Store) -> list[DatasetRef]:
    """The current `rejects` (with stored mels it may be of fewer shards), and that of the current embeddings."""
    refs = []
    if pointer := store.pointer("rejects"):
        refs.append(DatasetRef("rejects", pointer.version))
    if pointer := store.pointer("embeddings"):
        with contextlib.suppress(StoreError):
            refs.append(store.manifest(DatasetRef("embeddings", pointer.version)).parent("rejects"))
    return list(dict.fromkeys(refs))


def _read_names(store: Store, config: MelsConfig, parts: Mapping[int, Part]) -> Iterator[tuple[int, list[str]]]:
    """Yield the names under each of `settings_of`, for each shard."""
    tables = store.read_parts("tracks", parts.values(), AUDIO_COLUMNS)
    for shard, table in zip(parts, tables, strict=True):
        yield shard, [extraction_fingerprint(shard, table, settings) for settings in settings_of(config)]


def _key(part: Part) -> tuple[str, str]:
    return part.name, part.sha256


def _whole(part_name: str) -> str:
    """The name of the whole extraction in a part's name.

    >>> _whole("000012-3f2a91c0-1-2-0eb5b8d6.parquet"), _whole("000012-3f2a91c0.parquet")
    ('000012-3f2a91c0', '000012-3f2a91c0')
    """
    return "-".join(part_name.removesuffix(".parquet").split("-", 2)[:2])
