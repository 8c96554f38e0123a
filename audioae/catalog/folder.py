"""List the audio files of a folder.

Conventions
-----------
- Files are chosen by suffix (`CatalogConfig.suffixes`); `catalog.exclusion` says which folders and files are left out.
- Links to files are listed. A link to a folder is followed unless the folder is listed already, so that no file is
  listed twice and no loop is followed.
- What an entry is comes from the folder's listing; only of links is the target asked. A fifo, a socket or a device is
  counted and never opened.
- What cannot be read (no permission, a failing disk, a stale network mount) is not absent: `Found.unreadable` names it,
  and the scan keeps what it knows below it.
"""

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from audioae.catalog.exclusion import is_excluded, is_system_folder
from audioae.catalog.file_kinds import is_absent, says_absent, special_kind
from audioae.catalog.paths import printable
from audioae.catalog.sources import CatalogConfig, Listing, require_source
from audioae.errors import ConfigError

_SUFFIXES, _SPECIAL = "files with other suffixes", "special files"
_SYSTEMS, _EXCLUDED = "folders of systems", "entries named by catalog.exclude"
_SHOWN = 8

_log = logging.getLogger(__name__)


@dataclass
class Found:
    """The audio files of a folder, and what else was in it.

    Parameters
    ----------
    listing : Listing
        The columns `path` and `relative`.
    unreadable : dict of str to str
        Folders (and entries of unknown kind) that cannot be read, with the reason.
    left_out : dict of str to Counter
        How many entries were left out, by reason and by suffix, name or kind.
    """

    listing: Listing = field(default_factory=lambda: {"path": [], "relative": []})
    unreadable: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def notes(self) -> list[str]:
        """A sentence for each reason: `7 files with other suffixes were left out: .jpg 6, .mka 1`."""
        return [f"{n.total()} {reason} were left out: {_listed(n)}" for reason, n in self.left_out.items()]


def list_folder(config: CatalogConfig, known: Iterable[str] = ()) -> Found:
    """List the audio files below the folder `config.source`, and what was left out.

    Parameters
    ----------
    config : CatalogConfig
    known : iterable of str
        Paths of an earlier scan. Those below a folder that cannot be read are listed too, unless they are absent.

    Raises
    ------
    ConfigError
        If the folder does not exist, cannot be read, or has no file with one of the suffixes.
    """
    root = require_source(config)
    found, todo = Found(), [root]
    listed = [os.path.join(os.path.realpath(root), "")]
    below = len(os.path.join(root, ""))
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(folder) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            _note_unreadable(found, folder, error)
            continue
        folders = [entry.path for entry in ordered if _add(entry, entry.path[below:], config, found, listed)]
        todo += reversed(folders)
    if root in found.unreadable:
        raise ConfigError(f"catalog.source: {root} cannot be read: {found.unreadable[root]}; mount it, or grant access")
    found.listing["path"] += _kept(found, known)
    found.listing["relative"] = [path[below:].replace(os.sep, "/") for path in found.listing["path"]]
    if not found.listing["path"]:
        some = (
            ", ".join(f"{n} {printable(suffix)}" for suffix, n in _most_frequent(found.left_out[_SUFFIXES]))
            or "no files"
        )
        raise ConfigError(
            f"catalog.source: no audio files in {root}: found {some}; expected {' '.join(config.suffixes)} "
            "(catalog.extensions). Is the disk mounted?"
        )
    return found


def _add(entry: os.DirEntry[str], relative: str, config: CatalogConfig, found: Found, listed: list[str]) -> bool:
    """Take an entry into account; whether it is a folder to be listed."""
    suffix = os.path.splitext(entry.name)[1].lower()
    is_folder, special = False, None
    try:
        is_folder = entry.is_dir()
        special = None if is_folder or entry.is_file() else special_kind(entry.path)
    except OSError as error:
        _note_unreadable(found, entry.path, error)
    if is_folder and is_system_folder(entry.name):
        found.left_out[_SYSTEMS][entry.name] += 1
    elif entry.name.startswith("."):
        return False
    elif is_excluded(relative.replace(os.sep, "/"), config.exclude):
        found.left_out[_EXCLUDED]["folders" if is_folder else "files"] += 1
    elif is_folder:
        return not entry.is_symlink() or _is_new(entry.path, listed)
    elif special:
        found.left_out[_SPECIAL][special] += 1
    elif suffix in config.suffixes:
        found.listing["path"].append(entry.path)
    elif entry.path not in found.unreadable:
        found.left_out[_SUFFIXES][suffix or "files without a suffix"] += 1
    return False


def _is_new(folder: str, listed: list[str]) -> bool:
    """Whether no folder in `listed` has a link's target in it or is in it; a new one is added."""
    real = os.path.join(os.path.realpath(folder), "")
    if any(real.startswith(other) or other.startswith(real) for other in listed):
        return False
    listed.append(real)
    return True


def _note_unreadable(found: Found, path: str, error: OSError) -> None:
    if not says_absent(error):
        found.unreadable[path] = error.strerror or str(error)


def _kept(found: Found, known: Iterable[str]) -> list[str]:
    """Known paths below what cannot be read, which are not listed and not known to be absent."""
    if not found.unreadable:
        return []
    below = tuple(os.path.join(path, "") for path in found.unreadable)
    listed = set(found.listing["path"])
    kept = [path for path in known if path.startswith(below) and path not in listed and not is_absent(path)]
    some = ", ".join(f"{printable(path)} ({reason})" for path, reason in list(found.unreadable.items())[:3])
    _log.warning(
        "%d folders or files cannot be read, such as %s; %d known tracks below them are kept as they were",
        *(len(found.unreadable), some, len(kept)),
    )
    return kept


def _most_frequent(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]


def _listed(counts: Counter[str]) -> str:
    shown = _most_frequent(counts)
    rest = len(counts) - len(shown)
    return ", ".join(f"{printable(name)} {n}" for name, n in shown) + (f" and {rest} more kinds" if rest else "")
