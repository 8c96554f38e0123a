"""librosa, whose compiled modules only one process imports at a time; other modules take `librosa` from here.

Why: when some of librosa's modules are first imported, numba compiles functions of theirs (`guvectorize`) and caches
each as two files that belong together. Two processes that do so at once leave files of which one is the first
process's and the other the second's. From then on, every process that calls the function ends by a segmentation fault.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / f"audioae-librosa-{os.getuid()}.lock"


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Only one process of this user at a time; where there are no locks, nothing holds a process back."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            file = stack.enter_context(LOCK.open("a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


with _alone():
    import librosa
    import librosa.core.audio
    import librosa.core.pitch
    import librosa.util.utils

__all__ = ["librosa"]
