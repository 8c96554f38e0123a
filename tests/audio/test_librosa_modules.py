"""librosa is imported by one process at a time: two that compile it at once leave a cache that ends every process."""

import fcntl
import subprocess
import sys
import time
from pathlib import Path

from audioae.compiled import lock_file

IMPORT = "import audioae.audio.librosa_modules as door; print(door.librosa.__name__)"


def waits_for_a_lock(pid: int) -> bool:
    """Whether the kernel lists the process among those that wait for a lock."""
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(line[1] == "->" and int(line[5]) == pid for line in lines)


def test_an_import_waits_for_that_of_another_process():
    with lock_file("librosa").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        process = subprocess.Popen([sys.executable, "-c", IMPORT], stdout=subprocess.PIPE, text=True)
        while not waits_for_a_lock(process.pid):
            assert process.poll() is None, "librosa was imported while another process held the lock"
            time.sleep(0.02)
    output, _ = process.communicate(timeout=120)
    assert output.strip() == "librosa"


def test_without_a_place_for_the_lock_librosa_is_imported_all_the_same(tmp_path):
    code = f"import tempfile; tempfile.tempdir = {str(tmp_path / 'absent')!r}; {IMPORT}"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.strip() == "librosa"
