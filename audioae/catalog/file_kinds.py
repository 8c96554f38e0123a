"""What an OSError and a file's mode say: absent or merely unreadable, a regular file or a special one."""

import errno
import os
import stat

# These say that there is no such file. Any other error (no permission, a failing disk, a stale mount) leaves it open.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_SPECIAL = {
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


def says_absent(error: OSError) -> bool:
    """Whether an error means that the file does not exist, rather than that it cannot be read now."""
    return error.errno in _ABSENT


def is_absent(path: str) -> bool:
    """Whether there is certainly no such file.

    >>> is_absent("/"), is_absent("/no such file")
    (False, True)
    """
    try:
        os.stat(path)
    except OSError as error:
        return says_absent(error)
    return False


def special_kind(path: str) -> str | None:
    """What a path is that must not be opened: "fifo", "socket" or a device; else None.

    >>> special_kind("/dev/null"), special_kind("/")
    ('character device', None)
    """
    try:
        return _SPECIAL.get(stat.S_IFMT(os.stat(path).st_mode))
    except OSError:
        return None
