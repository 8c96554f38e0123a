"""librosa is imported by one process at a time: two that compile it at once leave a cache that ends every process."""

import fcntl
import subprocess
import sys

from audioae.audio import librosa_modules

IMPORT = "import audioae.audio.librosa_modules as door; print(door.librosa.__name__)"


def test_an_import_waits_for_that_of_another_process():
    with librosa_modules.LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        process = subprocess.Popen([sys.executable, "-c", IMPORT], stdout=subprocess.PIPE, text=True)
        try:
            process.wait(timeout=4)
            raise AssertionError("librosa was imported while another process held the lock")
        except subprocess.TimeoutExpired:
            assert process.poll() is None
    output, _ = process.communicate(timeout=60)
    assert output.strip() == "librosa"


def test_without_a_place_for_the_lock_librosa_is_imported_all_the_same(tmp_path):
    code = f"import tempfile; tempfile.tempdir = {str(tmp_path / 'absent')!r}; {IMPORT}"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output.strip() == "librosa"
