"""Shapes, codes and determinism of mels."""

import subprocess
import sys

import numpy as np
import pytest
import torch

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


def test_memory_layout_does_not_matter():
    read_only = WAVEFORMS.copy()
    read_only.setflags(write=False)
    np.testing.assert_array_equal(log_mel(read_only), log_mel(WAVEFORMS))
    np.testing.assert_array_equal(log_mel(np.asfortranarray(WAVEFORMS)), log_mel(WAVEFORMS))


@pytest.mark.parametrize("shape", [(CLIP_SAMPLES,), (1, CLIP_SAMPLES - 1), (1, 1, CLIP_SAMPLES)])
def test_rejects_a_wrong_shape(shape):
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


def test_gain_changes_only_peak_db():
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


def test_importing_the_module_loads_neither_numba_nor_scipy():
    code = (
        "import sys, audioae.audio.mel; print([m for m in ('numba', 'scipy', 'torch', 'librosa') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "[]\n"
