"""Shapes, codes and determinism of mels, and the compiled kernels' cache."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import audioae
from audioae.audio.mel import decode_mel, encode_mel, log_mel
from audioae.constants import CLIP_SAMPLES

WAVEFORMS = np.random.default_rng(1).normal(0, 0.1, (5, CLIP_SAMPLES)).astype(np.float32)


def test_shape_and_dtype():
    mel = log_mel(WAVEFORMS)
    assert mel.shape == (5, 128, 130)
    assert mel.dtype == np.float32
    assert log_mel(WAVEFORMS[:0]).shape == (0, 128, 130)


def test_a_clip_does_not_depend_on_its_neighbors():
    mel = log_mel(WAVEFORMS)
    for i in range(5):
        np.testing.assert_array_equal(log_mel(WAVEFORMS[i : i + 1])[0], mel[i])


def test_any_memory_layout_gives_the_same():
    read_only = WAVEFORMS.copy()
    read_only.setflags(write=False)
    np.testing.assert_array_equal(log_mel(read_only), log_mel(WAVEFORMS))
    np.testing.assert_array_equal(log_mel(np.asfortranarray(WAVEFORMS)), log_mel(WAVEFORMS))


@pytest.mark.parametrize("shape", [(CLIP_SAMPLES,), (1, CLIP_SAMPLES - 1), (1, 1, CLIP_SAMPLES)])
def test_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"got waveforms of shape \(.*wanted \(n, 66150\)"):
        log_mel(np.zeros(shape, np.float32))


def test_silence_is_the_floor_and_a_constant_code():
    mel = log_mel(np.zeros((1, CLIP_SAMPLES), np.float32))
    np.testing.assert_allclose(mel, -100, atol=1e-4)
    codes, peak_db = encode_mel(mel)
    assert (codes == 255).all()
    assert peak_db[0] == pytest.approx(-100)


def test_codes_are_within_half_a_step():
    mel = log_mel(WAVEFORMS)
    codes, peak_db = encode_mel(mel)
    assert codes.dtype == np.uint8
    assert peak_db.dtype == np.float32
    np.testing.assert_array_equal(peak_db, mel.max(axis=(1, 2)))
    assert (codes.reshape(5, -1).max(axis=1) == 255).all()
    wanted = np.maximum(mel - peak_db[:, None, None], -80)
    assert np.abs(decode_mel(codes) - wanted).max() <= 80 / 255 / 2 + 1e-4


def test_level_is_in_peak_db_alone():
    codes, peak_db = encode_mel(log_mel(WAVEFORMS))
    quiet_codes, quiet_peak_db = encode_mel(log_mel(WAVEFORMS / 4))
    np.testing.assert_array_equal(codes, quiet_codes)
    np.testing.assert_allclose(peak_db - quiet_peak_db, 20 * np.log10(4), atol=1e-4)


def test_every_code_survives_decoding():
    codes = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    mel_db = decode_mel(codes)
    assert mel_db.min() == -80
    assert mel_db.max() == 0
    np.testing.assert_array_equal(encode_mel(mel_db)[0], codes)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_the_same():
    mel, cuda = log_mel(WAVEFORMS), log_mel(WAVEFORMS, device="cuda")
    assert np.abs(mel - cuda)[mel > mel.max() - 80].max() < 1e-3


def run_fresh(n: int, folder: Path, **environment: str) -> list[subprocess.Popen]:
    code = "import numpy as np; from audioae.audio.mel import log_mel; "
    code += "print(float(log_mel(np.ones((1, 66150), 'f4')).sum()))"
    package = str(Path(audioae.__file__).parent.parent)
    variables = {**os.environ, "PYTHONPATH": package, "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, "-c", code]
    return [
        subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(n)
    ]


def test_processes_may_compile_at_the_same_time(tmp_path):
    wanted = float(log_mel(np.ones((1, CLIP_SAMPLES), np.float32)).sum())
    processes = run_fresh(3, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], answers
    assert {answer for answer, _ in answers} == {f"{wanted}\n"}
    assert list((tmp_path / "cache").rglob("*.nbc"))


def test_works_where_no_cache_can_be_written(tmp_path):
    package = tmp_path / "audioae"
    source = Path(audioae.__file__).parent
    (package / "audio" / "__pycache__").parent.mkdir(parents=True)
    (package / "audio" / "__pycache__").touch()  # a file where numba wants a folder: holds for root, too
    for name in ("__init__.py", "config.py", "errors.py", "audio/__init__.py", "audio/clips.py", "audio/mel.py"):
        (package / name).write_bytes((source / name).read_bytes())
    blocked = str(package / "config.py")
    (process,) = run_fresh(1, tmp_path, PYTHONPATH=str(tmp_path), HOME=blocked, XDG_CACHE_HOME=blocked)
    answer, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert float(answer) != 0
    assert not list(tmp_path.rglob("*.nbc"))
