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
"""

from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.config import fingerprint
from audioae.pipeline.config import MelsConfig
from audioae.pipeline.shards import part_fingerprint
from audioae.store.dataset import Store

CODE = 3  # raise it when the same file would give different clips, evidence or reasons


def decodable(tracks: pa.Table) -> pa.Table:
    """The tracks without those that are byte-identical to another one."""
    return tracks.filter(tracks["duplicate_of"].is_null())


def extraction_fingerprint(shard: int, tracks: pa.Table, config: MelsConfig) -> str:
    """Name the whole extraction of `tracks`, by the audio of its files, the settings and the code version."""
    usable = decodable(tracks)
    audio = pc.coalesce(usable["audio_hash"], usable["content_hash"])
    content = [usable["track_id"].to_pylist(), audio.to_pylist()]
    return part_fingerprint(shard, [CODE, config.clips.model_dump(), config.decode.model_dump(), content])


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


def find_extraction(store: Store, dataset: str, whole: str) -> str | None:
    """The best existing part of `dataset` for the tracks of `whole`, or None."""
    if store.has_part(dataset, whole):
        return whole
    return Extractions(store.part_fingerprints(dataset)).best(whole)


def _rank(name: str) -> tuple[int, int, str]:
    if not is_partial(name):
        return 0, 0, name
    _, _, failures, attempts, _ = name.split("-")
    return int(failures), -int(attempts), name
