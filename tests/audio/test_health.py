"""Each value responds to its fault, and has a normal value for clean music."""

from pathlib import Path

import numpy as np
import pytest

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.health import HEALTH_COLUMNS, HealthMeter
from tests.audio.decoding import RATE, health_of, noisy_music
from tests.audio.made import music, write


def test_columns_and_types(tmp_path: Path):
    for channels in (1, 2, 6):
        health = health_of(tmp_path / "a.wav", noisy_music(4, channels))
        assert list(health) == list(HEALTH_COLUMNS)
        for name, value in health.items():
            assert value is None or type(value) is HEALTH_COLUMNS[name], name
        assert (health["correlation"] is None) == (channels != 2)


def test_clean_music(tmp_path: Path):
    samples = noisy_music()
    health = health_of(tmp_path / "a.wav", samples, "PCM_16")
    assert (health["container"], health["codec"]) == ("wav", "pcm_16")
    assert health["peak"] == pytest.approx(np.abs(samples).max(), abs=1e-4)
    assert health["rms_dbfs"] == pytest.approx(10 * np.log10(np.mean(samples**2)), abs=0.01)
    assert health["duration_s"] == health["examined_s"] == health["claimed_s"] == 8
    assert health["bit_rate"] == pytest.approx(RATE * 32, rel=0.001)
    assert health["clipped_fraction"] == health["clipped_run"] == 0
    assert health["flat_fraction"] < 2e-3
    assert health["zero_run_s"] < 0.001
    assert abs(health["dc_offset"]) < 1e-3
    assert health["cutoff_hz"] > 21_000
    assert health["hum_db"] < 12
    assert health["channel_difference_db"] == pytest.approx(1.9, abs=0.1)
    assert health["correlation"] > 0.9


def test_clipping_shows_at_full_scale_and_after_attenuation(tmp_path: Path):
    clipped = np.clip(noisy_music() * 6, -1, 1)
    health = health_of(tmp_path / "a.wav", clipped)
    at_full_scale = np.abs(clipped).max(axis=1) >= 0.999
    assert health["clipped_fraction"] == pytest.approx(at_full_scale.mean())
    changes = np.flatnonzero(np.diff(np.r_[0, at_full_scale.astype(int), 0]))
    assert health["clipped_run"] == (changes[1::2] - changes[::2]).max()
    quieter = health_of(tmp_path / "b.wav", clipped * 0.5)
    assert quieter["clipped_fraction"] == 0
    assert quieter["flat_fraction"] == pytest.approx(health["flat_fraction"], rel=0.01)
    assert quieter["flat_fraction"] > 0.02


@pytest.mark.parametrize("start", [10_000, 60_000])
def test_the_longest_run_of_zeros_is_found_across_blocks(tmp_path: Path, start: int):
    samples = noisy_music()
    samples[start : start + 80_000] = 0
    health = health_of(tmp_path / "a.wav", samples)
    assert health["zero_run_s"] == pytest.approx(80_000 / RATE)
    assert health["zero_fraction"] == pytest.approx(80_000 / len(samples))


def test_runs_do_not_continue_across_a_gap_between_blocks():
    meter = HealthMeter(RATE, 1)
    silence = np.zeros((1, 1000), np.float32)
    for position in (0, 1000, 50_000):
        meter.add(silence, silence[0], position)
    assert meter.columns()["zero_run_s"] == pytest.approx(2000 / RATE)


def test_dc_offset(tmp_path: Path):
    assert health_of(tmp_path / "a.wav", noisy_music() * 0.5 - 0.2)["dc_offset"] == pytest.approx(0.2, abs=0.002)


def test_a_dead_channel_and_independent_channels(tmp_path: Path):
    samples = noisy_music()
    samples[:, 1] = 0
    dead = health_of(tmp_path / "a.wav", samples)
    assert dead["channel_difference_db"] > 90
    assert dead["correlation"] is None
    noise = np.random.default_rng(0).standard_normal((RATE * 4, 2)) * 0.1
    assert abs(health_of(tmp_path / "b.wav", noise)["correlation"]) < 0.02


def test_an_offset_does_not_change_the_correlation():
    rng = np.random.default_rng(0)
    planes = (0.1 * rng.standard_normal((2, RATE)) + [[0.4], [-0.3]]).astype(np.float32)
    planes[1] += 0.5 * planes[0]
    meter = HealthMeter(RATE, 2)
    for start in range(0, RATE, RATE // 4):
        block = planes[:, start : start + RATE // 4]
        meter.add(block, block.mean(axis=0), start)
    wanted = np.array(np.corrcoef(planes))[0, 1]
    assert meter.columns()["correlation"] == pytest.approx(wanted, abs=1e-3)
    assert wanted == pytest.approx(0.45, abs=0.02)


def test_channels_cancel_if_their_mix_is_20_db_below_their_mean_power():
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(RATE) * 0.1
    for gain, cancels in ((0.82, True), (0.81, False)):
        planes = np.stack([sound, -gain * sound]).astype(np.float32)
        meter = HealthMeter(RATE, 2)
        meter.add(planes, planes.mean(axis=0), 0)
        share = meter.mono_energy / float(meter.energy.mean())
        assert (share < 0.01) == cancels
        assert share == pytest.approx(0.01, rel=0.1)
        assert meter.cancels() == cancels


def test_the_swing_is_half_of_what_lies_between_the_extremes_of_a_channel():
    assert HealthMeter(RATE, 2).swing == 0
    meter = HealthMeter(RATE, 2)
    for position, (low, high) in enumerate(((0.1, 0.5), (0.2, 0.6))):
        planes = np.array([[low, high] * 4, [0.3, 0.4] * 4], np.float32)
        meter.add(planes, planes.mean(axis=0), 8 * position)
    assert meter.swing == pytest.approx((0.6 - 0.1) / 2)


def test_a_sine_has_the_square_of_its_amplitude_in_its_spectrum(monkeypatch: pytest.MonkeyPatch):
    spectra = []
    monkeypatch.setattr("audioae.audio.health.spectral_evidence", lambda given, _: spectra.append(given) or {})
    meter = HealthMeter(RATE, 1)
    n = 1 << round(np.log2(RATE / 5.4))
    sine = (0.5 * np.sin(2 * np.pi * 100 * np.arange(n) / n)).astype(np.float32)
    meter.add(sine[None], sine, 0)
    meter.columns()
    assert spectra[0].shape == (1, n // 2 + 1)
    assert spectra[0][0].argmax() == 100
    assert spectra[0].max() == pytest.approx(0.5**2, rel=1e-3)


def test_a_quiet_end_and_the_share_of_quiet_frames(tmp_path: Path):
    samples = noisy_music(8)
    samples[RATE : 2 * RATE] *= 1e-4
    samples[5 * RATE :] *= 1e-4
    health = health_of(tmp_path / "a.wav", samples)
    assert health["tail_s"] == pytest.approx(3, abs=0.05)
    assert health["quiet_fraction"] == pytest.approx(4 / 8, abs=0.02)


def test_noise_floor(tmp_path: Path):
    samples = np.zeros((RATE * 8, 1), np.float32)
    samples[: RATE * 2] = music(2, RATE, 1)
    samples += 0.001 * np.random.default_rng(0).standard_normal(samples.shape)
    assert health_of(tmp_path / "a.wav", samples)["noise_floor_dbfs"] == pytest.approx(-60, abs=0.5)


def test_windows_give_nearly_the_evidence_of_the_whole(tmp_path: Path):
    path = write(tmp_path / "a.flac", noisy_music(40))
    clips = ClipConfig(max_clips=8)
    whole = decode_track(path, clips, DecodeConfig(whole_up_to_s=60)).health
    windows = decode_track(path, clips, DecodeConfig(whole_up_to_s=0)).health
    assert windows["examined_s"] < 27 < 40 == whole["examined_s"]
    for name, tolerance in {
        "rms_dbfs": 1,
        "noise_floor_dbfs": 2,
        "cutoff_hz": 500,
        "correlation": 0.05,
        "peak": 0.1,
    }.items():
        assert windows[name] == pytest.approx(whole[name], abs=tolerance), name
