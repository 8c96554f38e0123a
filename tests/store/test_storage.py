"""Atomic writes, and a medium that fails."""

import os
import subprocess
import sys
from pathlib import Path

from audioae.store.storage import Storage


def test_unfinished_files_are_not_listed(tmp_path: Path):
    storage = Storage(tmp_path)
    storage.write("parts/a", b"1")
    (tmp_path / "parts" / ".tmp-crashed").write_bytes(b"torn")
    assert list(storage.list("parts")) == ["parts/a"]
    assert storage.list("nothing/there") == {}


def test_a_full_disk_raises_one_clear_message_and_keeps_the_old_content(tmp_path: Path):
    """The kernel refuses to write: a file-size limit of 64 kB has the effect of a disk with 64 kB left."""
    Storage(tmp_path).write("a", b"old")
    code = (
        "import resource, signal, sys\n"
        "from audioae.store.storage import Storage\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "Storage(sys.argv[1]).write('a', bytes(10**6))\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert run.returncode != 0
    assert "no space left" in run.stderr
    assert "nothing was published. Free space and run again" in run.stderr
    assert os.listdir(tmp_path) == ["a"]
    assert Storage(tmp_path).read("a") == b"old"
