"""Resynthesis: what each decoder keeps and changes, and that real excerpts are processed like their copies."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from audioae.audio.perturbations import ORIGINAL
from audioae.errors import AudioError
from audioae.screening.generated.artifacts import ARTIFACT_NAMES
from audioae.screening.generated.resynthesis import (
    REAL,
    VERSIONS,
    SourceAudio,
    at_rate,
    read_source,
    resynthesized_artifacts,
)
from audioae.screening.generated.vocoders import FAMILIES
from tests.audio.made import music, write

RATE = 44_100


@pytest.fixture(scope="module")
def waveform() -> np.ndarray:
    hiss = 0.01 * np.random.default_rng(0).standard_normal(3 * RATE)
    return (music(3.0)[:, 0] + hiss).astype(np.float32)


def octaves(waveform: np.ndarray) -> np.ndarray:
    """Power in octaves from 250 Hz to 4 kHz, dB."""
    frequencies, power = scipy.signal.welch(waveform, RATE, nperseg=4096)
    edges = 250 * 2.0 ** np.arange(5)
    return 10 * np.log10([power[(frequencies >= low) & (frequencies < 2 * low)].sum() for low in edges[:-1]])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_keeps_the_coarse_spectrum_and_changes_the_waveform(family: str, waveform: np.ndarray):
    resynthesize = FAMILIES[family]
    copy = resynthesize(waveform, RATE, np.random.default_rng(3))
    assert (copy.shape, copy.dtype) == (waveform.shape, np.float32)
    assert np.isfinite(copy).all()
    tolerance = 12 if family == "linear_prediction" else 6  # dB; rectification adds treble
    assert octaves(copy) == pytest.approx(octaves(waveform), abs=tolerance)
    assert np.abs(copy - waveform).std() > 0.02 * waveform.std()
    assert np.array_equal(copy, resynthesize(waveform, RATE, np.random.default_rng(3)))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_keeps_silence_silent(family: str):
    copy = FAMILIES[family](np.zeros(3 * RATE, np.float32), RATE, np.random.default_rng(0))
    assert np.isfinite(copy).all()
    assert np.abs(copy).max() < 1e-3


def test_real_excerpts_are_processed_like_their_copies(waveform: np.ndarray):
    excerpt = SourceAudio(waveform, RATE, np.zeros((1, 128, 130), np.uint8))
    versions = (ORIGINAL, "mp3 64 kb/s")
    mels = np.full((1, 128, 130), -40.0)
    rows = resynthesized_artifacts(excerpt, ("strided",), mels, {"given: same": waveform}, versions, seed=0)
    assert [(family, version) for family, version, _ in rows] == [
        (family, version) for family in (REAL, "given: same", "strided", "own_decoder") for version in versions
    ]
    artifacts = {row[:2]: row[2] for row in rows}
    assert {len(values) for values in artifacts.values()} == {len(ARTIFACT_NAMES)}
    for version in versions:
        assert np.array_equal(artifacts[REAL, version], artifacts["given: same", version], equal_nan=True)
        assert not np.allclose(artifacts[REAL, version], artifacts["strided", version], equal_nan=True)
    assert not np.allclose(artifacts[REAL, versions[0]], artifacts[REAL, versions[1]], equal_nan=True)
    assert artifacts["own_decoder", ORIGINAL][1] < 12_000  # the model covers no higher frequencies


def test_versions_keep_sample_rate_and_length(waveform: np.ndarray):
    for name in ("16 kHz and back", "48 kHz and back"):
        planes, rate = VERSIONS[name].change(waveform[None], RATE)
        assert rate == RATE
        assert planes.shape == pytest.approx((1, len(waveform)), abs=2)


def test_an_excerpt_is_the_middle_of_the_file(tmp_path: Path):
    ramp = np.linspace(-0.5, 0.5, 20 * RATE, dtype=np.float32)[:, None]
    excerpt = read_source(write(tmp_path / "ramp.wav", ramp), 6.0)
    assert len(excerpt.waveform) == 6 * RATE
    assert abs(float(excerpt.waveform.mean())) < 1e-3
    assert excerpt.codes.shape == (2, 128, 130)


def test_the_excerpt_of_a_short_file_is_3_s(tmp_path: Path):
    assert len(read_source(write(tmp_path / "short.wav", music(4.0)), 6.0).waveform) == 3 * RATE
    with pytest.raises(AudioError, match="too_short: wanted at least 3 s to resynthesize"):
        read_source(write(tmp_path / "shorter.wav", music(2.0)), 6.0)


def test_at_rate_pads_and_cuts(waveform: np.ndarray):
    assert len(at_rate(waveform, RATE, 22_050)) == len(waveform) // 2
    assert at_rate(waveform, RATE, 22_050, 10).shape == (10,)
    assert at_rate(waveform[:10], RATE, RATE, 20)[10:].tolist() == [0] * 10
