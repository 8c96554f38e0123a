"""How large an index may be: the limit that the config sets, or else a share of this machine's memory."""

import os
from pathlib import Path

SHARE = 0.5  # of the memory; the rest is for the service, the catalog's columns and other programs
CGROUP = Path("/sys/fs/cgroup/memory.max")


def machine_memory() -> int:
    """Bytes of memory that this process may use: that of the machine, or what its container is given."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = CGROUP.read_text().strip() if CGROUP.is_file() else "max"
    return min(physical, int(limit)) if limit.isdigit() else physical


def memory_limit(configured: int | None) -> tuple[int, str]:
    """The largest size of an index in bytes, and where the limit comes from, in words.

    >>> memory_limit(4 << 30)
    (4294967296, 'index.memory_bytes, 4.0 GiB')
    """
    if configured is not None:
        return configured, f"index.memory_bytes, {configured / 2**30:.1f} GiB"
    limit = int(SHARE * machine_memory())
    return limit, f"half of this machine's memory, {limit / 2**30:.1f} GiB (index.memory_bytes sets another limit)"
