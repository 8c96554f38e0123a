"""Code that numba compiles: where processes cache it, and a lock for those that fill such a cache.

Conventions
-----------
- Compiled code is cached in the folder `NUMBA_CACHE_DIR`, or else in `$XDG_CACHE_HOME/audioae/numba-<hash of the
  source>` (by default below `~/.cache`). Without a folder that can be written, every process compiles again.

Why not numba's default, the `__pycache__` beside the source: it makes a checkout dirty, is lost in a read-only
installation, and would be shipped to machines that must not run it.
Why a lock: a function with several signatures is cached as files that belong together. Two processes that compile it
at once leave files of which one is the first process's and the other the second's. From then on, every process that
calls the function ends by a segmentation fault.
"""

import contextlib
import fcntl
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def cache_for(source: str) -> Iterator[bool]:
    """Functions that are compiled in here and come from the file `source` are cached; False if no folder can be used.

    numba reads the folder once per function, when it is decorated or `enable_caching` is called.
    """
    from numba.core import config

    numba_config: Any = config  # its attributes are set at run time, unseen by type checkers
    previous = numba_config.CACHE_DIR
    folder = _folder(source, previous)
    numba_config.CACHE_DIR = folder or previous
    try:
        yield folder is not None
    finally:
        numba_config.CACHE_DIR = previous


def _folder(source: str, wanted: str) -> str | None:
    """A folder for compiled code that can be written, or None."""
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        code = hashlib.blake2b(Path(source).read_bytes(), digest_size=6).hexdigest()
        folder = Path(wanted or caches / "audioae" / f"numba-{code}")
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):  # no such file, not writable; no home folder
        return None
    return str(folder)


def start_threads() -> None:
    """Let numba start its threads; without this, the first parallel function does it.

    Why in a thread: where they are OpenMP's, numba sets the number of threads of the thread that starts them to all
    cores, for torch and FAISS too and whatever OMP_NUM_THREADS says. Beside another busy process on two cores, FAISS
    then trains codes many times slower.
    """
    import numba

    thread = threading.Thread(target=numba.get_num_threads)
    thread.start()
    thread.join()


def lock_file(name: str) -> Path:
    """The file that `alone` locks."""
    return Path(tempfile.gettempdir()) / f"audioae-{name}-{os.getuid()}.lock"


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Only one process of this user at a time; where there are no locks, nothing holds a process back."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            file = stack.enter_context(lock_file(name).open("a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
