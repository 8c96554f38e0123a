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
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from audioae.catalog.database import Database, decoded
from audioae.catalog.exclusion import leaves_out
from audioae.catalog.file_kinds import is_absent
from audioae.catalog.paths import printable
from audioae.catalog.sources import CatalogConfig, require_source
from audioae.errors import ConfigError

FEW = 3  # fewer tracks than these may always go

_log = logging.getLogger(__name__)


def check_losses(db: Database, config: CatalogConfig, known_source: str) -> None:
    """Compare a scan with the catalog that it would replace.

    Parameters
    ----------
    db : Database
        With the tables `known` (the catalog so far) and `scanned` (the scan); of both the columns track_id, uri,
        content_hash and audio_hash are used, of `known` also row and path.
    config : CatalogConfig
        Of the scan.
    known_source : str
        `config.source` of the catalog so far.

    Raises
    ------
    ConfigError
        If more is lost than `config.max_loss` allows; the message names what.
    """
    n_known = db.value("SELECT count(*) FROM known WHERE content_hash IS NOT NULL")
    _find_lost(db)

    def lost() -> Iterator[str]:
        paths = _paths(db, "lost")
        return paths if config.is_manifest else (path for path in paths if not _is_left_out(config, path))

    some, n_lost = next(lost(), ""), sum(1 for _ in lost())
    if not n_lost:
        return
    if n_lost == n_known and config.source != known_source:
        _log.warning("%s replaces the catalog of %s: all its %d tracks go", config.source, known_source, n_lost)
        return
    gone = Counter(folder for path in lost() if is_absent(path) for folder in _folders(path, _root(config)))
    folders = _emptied(_paths(db, "known WHERE content_hash IS NOT NULL"), gone, _root(config))
    suspect = [folder for folder, n in folders.items() if n >= FEW and _is_suspect(folder, config)]
    too_many = n_lost / n_known > config.max_loss and (n_lost >= FEW or config.max_loss == 0)
    if config.max_loss < 1 and (too_many or suspect):
        raise ConfigError(_message(config, n_known, n_lost, lost, folders))
    _log.warning("%s: %d of %d tracks are gone, such as %s", config.source, n_lost, n_known, printable(some))


def _find_lost(db: Database) -> None:
    """Make the table `lost`: the known tracks that nothing of the scan is."""
    columns = "row, path, track_id, uri, content_hash, audio_hash"
    source = f"(SELECT {columns} FROM known WHERE content_hash IS NOT NULL)"
    for name in ("track_id", "uri", "content_hash", "audio_hash"):
        present = f"(SELECT {name} FROM scanned WHERE content_hash IS NOT NULL AND {name} IS NOT NULL)"
        db.run(f"CREATE OR REPLACE TABLE without_{name} AS SELECT * FROM {source} ANTI JOIN {present} USING ({name})")
        source = f"without_{name}"
    db.run(f"CREATE OR REPLACE VIEW lost AS SELECT * FROM {source}")


def _paths(db: Database, table: str) -> Iterator[str]:
    for block in db.stream(f"SELECT path FROM {table} ORDER BY row"):
        yield from map(decoded, block["path"].to_pylist())


def _root(config: CatalogConfig) -> str:
    if config.is_remote:
        return require_source(config)
    source = os.path.abspath(os.path.expanduser(config.source))
    if not config.is_manifest:
        return source
    return os.path.abspath(os.path.expanduser(config.root)) if config.root else os.path.dirname(source)


def _is_left_out(config: CatalogConfig, path: str) -> bool:
    root = os.path.join(_root(config), "")
    suffix = os.path.splitext(path)[1].lower()
    relative = path.removeprefix(root).replace(os.sep, "/")
    return path.startswith(root) and (suffix not in config.suffixes or leaves_out(relative, config.exclude))


def _emptied(paths: Iterable[str], gone: Counter[str], root: str) -> dict[str, int]:
    """The uppermost folders below the root of which every file is absent, and how many files, most first.

    `gone` counts the absent files in each folder.
    """
    before = Counter(folder for path in paths for folder in _folders(path, root) if folder in gone)
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


def _message(
    config: CatalogConfig, n_known: int, n_lost: int, lost: Callable[[], Iterator[str]], folders: dict[str, int]
) -> str:
    named = [(folder, n) for folder, n in folders.items() if n >= FEW][:3]
    others = n_lost - sum(n for _, n in named)
    parts = [f"all {n} of {printable(folder)}" for folder, n in named]
    if others:
        shown = tuple(folder + os.sep for folder, _ in named)
        some = [printable(path) for path in islice((path for path in lost() if not path.startswith(shown)), 3)]
        parts.append(f"{others} {'others' if named else 'of them'}, such as {', '.join(some)}")
    return (
        f"catalog.source: {config.source}: {n_lost} of {n_known} known tracks are gone: {'; '.join(parts)}. "
        "Is a disk not mounted, or a listing cut off? Nothing was changed. If they were removed on purpose, run once "
        f"with --set catalog.max_loss=1 (it is {config.max_loss:g}; docs/catalog.md)"
    )
