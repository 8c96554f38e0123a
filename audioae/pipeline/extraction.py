"""Extractions: what decoding one shard of tracks gives, and how its parts are named.

Conventions
-----------
- An extraction is up to three parts of one name: `health`, `rejects` and `mels`.
- The name of a whole extraction depends on the tracks' audio, the settings and the code, so it is known beforehand.
- While some tracks fail for a reason of the moment (`decode.MOMENTARY`), only a partial extraction exists:
  `<name of the whole>-<number of failures>-<attempts>-<hash of the failures>`. Its `rejects` lists the failures with
  their attempts. The next run copies the rest and decodes only those. So no failure that may pass is part of a whole
  extraction.
- Of several extractions of the same tracks, the one with the fewest failures counts, then the one with most attempts.
- Where `min_s` is below `SHORT_S`, the extraction under `min_s: SHORT_S`, which was the default once, stays in use as
  long as no track of it was rejected as too short (see `shard_states.py`), and its results are copied (see `reuse.py`).
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.audio.config import SHORT_S
from audioae.config import fingerprint
from audioae.pipeline.config import MelsConfig
from audioae.pipeline.shards import part_fingerprint
from audioae.store.dataset import Store

CODE = 3  # raise it when the same file would give different clips, evidence or reasons
SHORT_CODE = 1  # raise it when only a file shorter than `SHORT_S` would


def decodable(tracks: pa.Table) -> pa.Table:
    """The tracks without those that are byte-identical to another one."""
    return tracks.filter(tracks["duplicate_of"].is_null())


def extraction_fingerprint(shard: int, tracks: pa.Table, config: MelsConfig) -> str:
    """Name the whole extraction of `tracks`, by the audio of its files, the settings and the code version."""
    usable = decodable(tracks)
    audio = pc.coalesce(usable["audio_hash"], usable["content_hash"])
    content = [usable["track_id"].to_pylist(), audio.to_pylist()]
    short = [SHORT_CODE] if config.decode.min_s < SHORT_S else []
    return part_fingerprint(shard, [CODE, config.clips.model_dump(), config.decode.model_dump(), content, *short])


def settings_of(config: MelsConfig) -> list[MelsConfig]:
    """The settings whose extractions are looked for: those of now, and the same with `min_s: SHORT_S` if that is more.

    >>> [each.decode.min_s for each in settings_of(MelsConfig())]
    [0.05, 0.5]
    """
    if config.decode.min_s >= SHORT_S:
        return [config]
    return [config, config.model_copy(update={"decode": config.decode.model_copy(update={"min_s": SHORT_S})})]


def same_clips(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two `MelsConfig` as JSON give a track the same clips, if both accept it."""

    def clips(config: dict[str, Any]) -> dict[str, Any]:
        return {**config, "decode": {**config.get("decode", {}), "min_s": None}}

    return clips(one) == clips(other)


def partial_fingerprint(whole: str, failures: pa.Table) -> str:
    """Name the extraction in which the tracks of `failures` (rows of `rejects`) have failed; `whole` if there are none.

    >>> partial_fingerprint("000012-3f2a91c0", pa.table({"track_id": ["a"], "attempts": [2]}))
    '000012-3f2a91c0-1-2-0eb5b8d6'
    """
    if not failures.num_rows:
        return whole
    ids = sorted(failures["track_id"].to_pylist())
    return f"{whole}-{len(ids)}-{pc.sum(failures['attempts']).as_py()}-{fingerprint(ids)[:8]}"


def is_partial(name: str) -> bool:
    """Whether an extraction has failures that may pass."""
    return name.count("-") > 1


class Extractions:
    """The extractions that exist, by the names of their parts in one dataset.

    Parameters
    ----------
    names : iterable of str
    """

    def __init__(self, names: Iterable[str]):
        self._names: dict[str, list[str]] = defaultdict(list)
        for name in names:
            self._names["-".join(name.split("-", 2)[:2])].append(name)

    def of(self, whole: str) -> list[str]:
        """Every extraction of the same tracks as `whole`, the best first."""
        return sorted(self._names.get(whole, ()), key=_rank)

    def best(self, whole: str) -> str | None:
        """The extraction that counts, or None."""
        return next(iter(self.of(whole)), None)


def find_extraction(store: Store, dataset: str, shard: int, tracks: pa.Table, config: MelsConfig) -> str | None:
    """The best existing part of `dataset` for the `tracks` of a shard, or None."""
    names = [extraction_fingerprint(shard, tracks, settings) for settings in settings_of(config)]
    if store.has_part(dataset, names[0]):
        return names[0]
    existing = Extractions(store.part_fingerprints(dataset))
    return next((best for name in names if (best := existing.best(name))), None)


def _rank(name: str) -> tuple[int, int, str]:
    if not is_partial(name):
        return 0, 0, name
    _, _, failures, attempts, _ = name.split("-")
    return int(failures), -int(attempts), name
