"""What a folder source leaves out: hidden files, folders of systems, and what `catalog.exclude` names.

Conventions
-----------
- Names are relative to the source, with "/". A glob with "/" matches such a name, one without "/" the last part of it,
  at any depth. `*`, `?` and `[...]` match within one part, `**` any number of parts. Case counts.
- What is in a folder that is left out is left out too.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

# Recycle bins, thumbnails and indexes of NAS systems, Windows, macOS and Linux; compared without case.
SYSTEM_FOLDERS = (
    *("#recycle", "@recycle", "$recycle.bin", "recycler", ".trash*", "@eadir", "#snapshot", "@sharebin"),
    *("lost+found", "system volume information", "__macosx"),
)


def is_system_folder(name: str) -> bool:
    """Whether a folder's name says that it belongs to a system.

    >>> is_system_folder("@eaDir"), is_system_folder(".Trash-1000"), is_system_folder("Music")
    (True, True, False)
    """
    return any(fnmatchcase(name.casefold(), pattern) for pattern in SYSTEM_FOLDERS)


def is_excluded(relative: str, globs: Sequence[str]) -> bool:
    """Whether one of the globs matches a name itself; see the conventions.

    >>> is_excluded("a/Demos", ["Demos"]), is_excluded("a/b.wav", ["*.wav"]), is_excluded("a/b/c.wav", ["a/*.wav"])
    (True, True, False)
    """
    parts = relative.split("/")
    return any(_matches(parts, _parts(glob)) for glob in globs)


def leaves_out(relative: str, globs: Sequence[str]) -> bool:
    """Whether a file is left out, for its own name or for one of its folders.

    >>> leaves_out("Podcasts/2024/a.mp3", ["Podcasts"]), leaves_out("a/#recycle/b.mp3", []), leaves_out("a/b.mp3", [])
    (True, True, False)
    """
    parts = relative.split("/")
    folders = ["/".join(parts[: i + 1]) for i in range(len(parts) - 1)]
    return (
        any(name.startswith(".") for name in parts)
        or any(is_system_folder(name) for name in parts[:-1])
        or any(is_excluded(name, globs) for name in (*folders, relative))
    )


def _parts(glob: str) -> list[str]:
    parts = glob.strip("/").split("/")
    return parts if "/" in glob.rstrip("/") else ["**", *parts]


def _matches(parts: Sequence[str], glob: Sequence[str]) -> bool:
    if not glob:
        return not parts
    if glob[0] == "**":
        return any(_matches(parts[i:], glob[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], glob[0]) and _matches(parts[1:], glob[1:])
