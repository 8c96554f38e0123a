"""Decoder artifacts of signals with known properties."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile as sf

from audioae.audio.perturbations import read_whole
from audioae.errors import AudioError
from audioae.screening.generated.artifacts import ARTIFACT_NAMES, read_sections, track_artifacts, waveform_artifacts
from audioae.screening.generated.section_artifacts import BANDS, FEATURE_NAMES
from tests.audio.made import music, write

RATE = 44_100
N = 3 * RATE


def noise(seed: int = 0, n: int = N) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def measured(waveform: np.ndarray, name: str, rate: int = RATE) -> float:
    return float(waveform_artifacts([waveform], rate)[ARTIFACT_NAMES.index(name)])


def test_phase_features_separate_tones_clicks_and_noise():
    t = np.arange(N) / RATE
    tone = np.sin(2 * np.pi * 600 * t).astype(np.float32) + 1e-4 * noise()
    clicks = 1e-3 * noise()
    clicks[::4410] += 1
    along, across = "phase_time 0.3-1 kHz", "phase_frequency 4-7 kHz"
    assert measured(tone, along) > 0.9 > 0.6 > measured(noise(), along)
    assert measured(clicks, across) > measured(noise(), across) + 0.15


@pytest.mark.parametrize(("stride", "name"), [(256, "stride"), (240, "odd_stride")])
def test_a_modulation_at_a_stride_stands_out(stride: int, name: str):
    beat = np.where(np.arange(N) % stride < stride // 4, 1.2, 1.0).astype(np.float32)
    other = "odd_stride" if name == "stride" else "stride"
    assert measured(noise() * beat, name) > measured(noise(), name) + 2
    assert measured(noise() * beat, other) < measured(noise(), other) + 1


def test_kurtosis_and_skewness_of_the_residual():
    rng = np.random.default_rng(0)
    laplace = (0.1 * rng.laplace(size=N)).astype(np.float32)
    skewed = (0.1 * (rng.exponential(size=N) - 1)).astype(np.float32)
    assert measured(noise(), "kurtosis") == pytest.approx(np.log(3), abs=0.05)
    assert measured(laplace, "kurtosis") == pytest.approx(np.log(6), abs=0.2)
    assert measured(noise(), "skewness") < 0.05
    assert measured(skewed, "skewness") > 1.5


def test_bands_above_the_bandwidth_are_empty():
    low = scipy.signal.sosfilt(scipy.signal.cheby2(12, 100, 5500, fs=RATE, output="sos"), noise())
    artifacts = waveform_artifacts([np.asarray(low, np.float32)], RATE)
    assert 4_000 < artifacts[1] < 5_600
    for (bottom, _), column in zip(BANDS, range(0, 12 * len(BANDS), 12), strict=True):
        assert np.isnan(artifacts[2 + column : 2 + column + 12]).all() == (bottom >= 4_000)


def test_the_level_does_not_matter():
    assert waveform_artifacts([noise()], RATE) == pytest.approx(
        waveform_artifacts([noise() / 8], RATE), rel=0.01, abs=0.01
    )


def test_features_are_nan_where_there_is_nothing_to_measure():
    silent = waveform_artifacts([np.zeros(N, np.float32)], RATE)
    assert silent[0] == 0
    assert np.isnan(silent[2:]).all()
    low = waveform_artifacts([noise(n=3 * 22_050)], 22_050)
    assert low[:2].tolist() == [3.0, 11_025.0]
    assert np.isnan(low[2:]).all()
    assert waveform_artifacts([], RATE)[0] == 0


def test_silent_sections_are_left_out():
    both = waveform_artifacts([noise(), np.zeros(N, np.float32)], RATE)
    assert np.array_equal(both, waveform_artifacts([noise()], RATE), equal_nan=True)


def test_high_sample_rates_are_halved():
    fine = scipy.signal.resample_poly(noise(n=3 * 48_000), 2, 1).astype(np.float32)
    one, other = waveform_artifacts([fine], 96_000), waveform_artifacts([noise(n=3 * 48_000)], 48_000)
    assert one[2:50] == pytest.approx(other[2:50], abs=0.05)


def test_sections_are_spaced_evenly_over_the_track(tmp_path: Path):
    ramp = np.linspace(0, 0.9, 30 * RATE, dtype=np.float32)[:, None]
    path = write(tmp_path / "ramp.wav", ramp)
    sections, rate = read_sections(path, 3.0, 5)
    assert rate == RATE
    assert [round(float(s.mean()) / 0.9, 2) for s in sections] == [0.1, 0.3, 0.5, 0.7, 0.9]
    assert {len(s) for s in sections} == {N}


@pytest.mark.parametrize("kind", ["mp3", "ogg", "flac", "aac"])
def test_sections_equal_those_of_a_whole_decode(tmp_path: Path, kind: str):
    path = write(tmp_path / f"track.{kind}", music(11.0))
    planes, rate = read_whole(path)
    sections, _ = read_sections(path, 3.0, 2)
    mono = planes.mean(axis=0)
    for section, middle in zip(sections, (0.25, 0.75), strict=True):
        start = round(middle * len(mono) - 1.5 * rate)
        assert section == pytest.approx(mono[start : start + len(section)], abs=1e-4)


def test_a_short_track_has_no_features(tmp_path: Path):
    artifacts = track_artifacts(write(tmp_path / "short.wav", music(2.5)), 4)
    assert len(artifacts) == len(ARTIFACT_NAMES) == 2 + len(FEATURE_NAMES)
    assert artifacts[0] == 0
    assert np.isnan(artifacts[2:]).all()


def test_the_same_file_gives_the_same_artifacts(tmp_path: Path):
    path = write(tmp_path / "track.ogg", music(7.0))
    assert np.array_equal(track_artifacts(path, 4), track_artifacts(path, 4), equal_nan=True)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path):
    with pytest.raises(AudioError, match="unreadable: No such file"):
        track_artifacts(tmp_path / "gone.wav", 4)
    (tmp_path / "junk.mp3").write_bytes(b"junk" * 1000)
    with pytest.raises(AudioError, match="not_audio"):
        track_artifacts(tmp_path / "junk.mp3", 4)
    samples = music(4.0)
    samples[RATE] = np.nan
    sf.write(tmp_path / "nan.wav", samples, RATE, "FLOAT")
    with pytest.raises(AudioError, match="non_finite: NaN or infinite samples"):
        track_artifacts(tmp_path / "nan.wav", 4)
