"""List the audio files of a folder, in blocks.

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

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from audioae.catalog.database import BLOCK
from audioae.catalog.exclusion import is_excluded, is_system_folder
from audioae.catalog.file_kinds import says_absent, special_kind
from audioae.catalog.paths import printable
from audioae.catalog.sources import CatalogConfig, require_source
from audioae.errors import ConfigError

_SUFFIXES, _SPECIAL = "files with other suffixes", "special files"
_SYSTEMS, _EXCLUDED = "folders of systems", "entries named by catalog.exclude"
_REASONS = (_SYSTEMS, _EXCLUDED, _SPECIAL, _SUFFIXES)
_SHOWN = 8


@dataclass
class Found:
    """What else than audio was in a folder.

    Parameters
    ----------
    unreadable : dict of str to str
        Folders (and entries of unknown kind) that cannot be read, with the reason.
    left_out : dict of str to Counter
        How many entries were left out, by reason and by suffix, name or kind.
    """

    unreadable: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def notes(self) -> list[str]:
        """A sentence for each reason: `7 files with other suffixes were left out: .jpg 6, .mka 1`."""
        counts = [(reason, self.left_out[reason]) for reason in _REASONS if reason in self.left_out]
        return [f"{n.total()} {reason} were left out: {_listed(n)}" for reason, n in counts]

    def other_suffixes(self) -> str:
        """The suffixes that were found instead of those of audio: `6 .jpg, 1 .mka`."""
        most = _most_frequent(self.left_out[_SUFFIXES])
        return ", ".join(f"{n} {printable(suffix)}" for suffix, n in most) or "no files"

    def note_unreadable(self, path: str, error: OSError) -> None:
        if not says_absent(error):
            self.unreadable[path] = error.strerror or str(error)

    def is_below_unreadable(self, path: str) -> bool:
        """Whether a path is in a folder that cannot be read, at any depth."""
        return any(folder in self.unreadable for folder in _folders(path))


def list_folder(config: CatalogConfig, found: Found) -> Iterator[list[str]]:
    """Yield the paths of the audio files below the folder `config.source`, and note in `found` what was left out.

    Raises
    ------
    ConfigError
        If the folder does not exist or cannot be read.
    """
    root = require_source(config)
    links, todo, block = _Links(root), [root], []
    below = len(os.path.join(root, ""))
    while todo:
        folder, folders = todo.pop(), []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    kind = _kind(entry, entry.path[below:], config, found)
                    if kind == "file":
                        block.append(entry.path)
                    elif kind == "folder":
                        folders.append((entry.name, entry.path, entry.is_symlink()))
                    if len(block) >= BLOCK:
                        yield block
                        block = []
        except OSError as error:
            found.note_unreadable(folder, error)
        todo += [path for _, path, is_link in sorted(folders) if not is_link or links.is_new(path)][::-1]
    if root in found.unreadable:
        raise ConfigError(f"catalog.source: {root} cannot be read: {found.unreadable[root]}; mount it, or grant access")
    if block:
        yield block


def _kind(entry: os.DirEntry[str], relative: str, config: CatalogConfig, found: Found) -> str | None:
    """Whether an entry is a "file" or a "folder" that is to be listed; what is not is noted."""
    suffix = os.path.splitext(entry.name)[1].lower()
    is_folder, special = False, None
    try:
        is_folder = entry.is_dir()
        special = None if is_folder or entry.is_file() else special_kind(entry.path)
    except OSError as error:
        found.note_unreadable(entry.path, error)
    if is_folder and is_system_folder(entry.name):
        found.left_out[_SYSTEMS][entry.name] += 1
    elif entry.name.startswith("."):
        return None
    elif is_excluded(relative.replace(os.sep, "/"), config.exclude):
        found.left_out[_EXCLUDED]["folders" if is_folder else "files"] += 1
    elif is_folder:
        return "folder"
    elif special:
        found.left_out[_SPECIAL][special] += 1
    elif suffix in config.suffixes:
        return "file"
    elif entry.path not in found.unreadable:
        found.left_out[_SUFFIXES][suffix or "files without a suffix"] += 1
    return None


class _Links:
    """The folders that links lead to, and the root."""

    def __init__(self, root: str):
        self._listed: set[str] = set()
        self._above: set[str] = set()
        self._add(os.path.realpath(root))

    def is_new(self, link: str) -> bool:
        """Whether no listed folder has a link's target in it or is in it; a new one is added."""
        real = os.path.realpath(link)
        if real in self._above or any(folder in self._listed for folder in (real, *_folders(real))):
            return False
        self._add(real)
        return True

    def _add(self, real: str) -> None:
        self._listed.add(real)
        self._above.update((real, *_folders(real)))


def _folders(path: str) -> Iterator[str]:
    """All folders that a path is in, the nearest first."""
    folder = os.path.dirname(path)
    while folder != path:
        yield folder
        path, folder = folder, os.path.dirname(folder)


def _most_frequent(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]


def _listed(counts: Counter[str]) -> str:
    shown = _most_frequent(counts)
    rest = len(counts) - len(shown)
    return ", ".join(f"{printable(name)} {n}" for name, n in shown) + (f" and {rest} more kinds" if rest else "")
