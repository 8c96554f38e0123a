"""Refuse a scan that lost more than may be meant: an unmounted disk, an unreadable folder, a cut listing or manifest.

Conventions
-----------
- A known track is lost if it is gone from the source, or its file is, and no track has its bytes or its audio: what was
  moved, renamed or retagged is not lost, nor is a copy of which another one is left.
- Losses are refused if they exceed `max_loss` of the known tracks, or if a whole folder lost its tracks, although the
  folder still exists (so does the empty folder of an unmounted disk, or the link to it) or is one directly below the
  source. Fewer than three tracks, of a folder or in all, are never too many.
- What the config itself leaves out now is not lost, and a source of another name that has none of the known tracks is
  another catalog.

Why a deeper folder that is gone altogether does not count: deleting an album is an everyday thing.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.catalog.exclusion import leaves_out
from audioae.catalog.file_kinds import is_absent
from audioae.catalog.paths import paths_of, printable
from audioae.catalog.sources import CatalogConfig
from audioae.errors import ConfigError

FEW = 3  # fewer tracks than these may always go

_log = logging.getLogger(__name__)


def check_losses(config: CatalogConfig, known: pa.Table, scanned: pa.Table, known_source: str) -> None:
    """Compare a scan with the catalog that it would replace.

    Parameters
    ----------
    config : CatalogConfig
        Of the scan.
    known, scanned : pa.Table
        The catalog so far (rows of the dataset `tracks`) and the scan.
    known_source : str
        `config.source` of the catalog so far.

    Raises
    ------
    ConfigError
        If more is lost than `config.max_loss` allows; the message names what.
    """
    known = known.filter(pc.is_valid(known["content_hash"]))
    lost = _lost(config, known, scanned)
    if not lost:
        return
    if len(lost) == known.num_rows and config.source != known_source:
        _log.warning("%s replaces the catalog of %s: all its %d tracks go", config.source, known_source, len(lost))
        return
    share = len(lost) / known.num_rows
    folders = _emptied(paths_of(known), [path for path in lost if is_absent(path)], _root(config))
    suspect = [folder for folder, n in folders.items() if n >= FEW and _is_suspect(folder, config)]
    too_many = share > config.max_loss and (len(lost) >= FEW or config.max_loss == 0)
    if config.max_loss < 1 and (too_many or suspect):
        raise ConfigError(_message(config, known.num_rows, lost, folders))
    _log.warning(
        "%s: %d of %d tracks are gone, such as %s", config.source, len(lost), known.num_rows, printable(lost[0])
    )


def _lost(config: CatalogConfig, known: pa.Table, scanned: pa.Table) -> list[str]:
    """The paths of the lost tracks."""
    present = scanned.filter(pc.is_valid(scanned["content_hash"]))
    same = [
        pc.is_in(known[name], value_set=present[name].drop_null().combine_chunks())
        for name in ("track_id", "uri", "content_hash", "audio_hash")
    ]
    kept = reduce(pc.or_, same)
    paths = paths_of(known.filter(pc.invert(kept)))
    return paths if config.is_manifest else [path for path in paths if not _is_left_out(config, path)]


def _root(config: CatalogConfig) -> str:
    source = os.path.abspath(os.path.expanduser(config.source))
    if not config.is_manifest:
        return source
    return os.path.abspath(os.path.expanduser(config.root)) if config.root else os.path.dirname(source)


def _is_left_out(config: CatalogConfig, path: str) -> bool:
    root = os.path.join(_root(config), "")
    suffix = os.path.splitext(path)[1].lower()
    relative = path.removeprefix(root).replace(os.sep, "/")
    return path.startswith(root) and (suffix not in config.suffixes or leaves_out(relative, config.exclude))


def _emptied(paths: Sequence[str], absent: Sequence[str], root: str) -> dict[str, int]:
    """The uppermost folders below the root of which every file is absent, and how many files, most first."""
    before = Counter(folder for path in paths for folder in _folders(path, root))
    gone = Counter(folder for path in absent for folder in _folders(path, root))
    whole = {folder for folder, n in gone.items() if before[folder] == n}
    upper = {folder: gone[folder] for folder in whole if os.path.dirname(folder) not in whole}
    return dict(sorted(upper.items(), key=lambda item: (-item[1], item[0])))


def _folders(path: str, root: str) -> Iterator[str]:
    folder = os.path.dirname(path)
    while folder not in (root, os.path.dirname(folder)):
        yield folder
        folder = os.path.dirname(folder)


def _is_suspect(folder: str, config: CatalogConfig) -> bool:
    return os.path.dirname(folder) == _root(config) or os.path.lexists(folder)


def _message(config: CatalogConfig, n_known: int, lost: Sequence[str], folders: dict[str, int]) -> str:
    named = [(folder, n) for folder, n in folders.items() if n >= FEW][:3]
    others = len(lost) - sum(n for _, n in named)
    parts = [f"all {n} of {printable(folder)}" for folder, n in named]
    if others:
        shown = [folder + os.sep for folder, _ in named]
        some = [printable(path) for path in lost if not path.startswith(tuple(shown))][:3]
        parts.append(f"{others} {'others' if named else 'of them'}, such as {', '.join(some)}")
    return (
        f"catalog.source: {config.source}: {len(lost)} of {n_known} known tracks are gone: {'; '.join(parts)}. "
        "Is a disk not mounted, or a listing cut off? Nothing was changed. If they were removed on purpose, run once "
        f"with --set catalog.max_loss=1 (it is {config.max_loss:g}; docs/catalog.md)"
    )
