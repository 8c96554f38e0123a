"""A perturbation makes the change of its name and no other."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.extract import Extracted, extract
from audioae.audio.perturbations import ORIGINAL, PERTURBATIONS, extract_versions, read_whole, write_version
from audioae.errors import AudioError
from tests.audio.made import music, write

BY_NAME = {perturbation.name: perturbation for perturbation in PERTURBATIONS}
CODECS = [name for name, perturbation in BY_NAME.items() if perturbation.group == "codec"]
CLIPS, DECODE = ClipConfig(max_clips=1), DecodeConfig()


def planes(seconds: float = 4.0, sample_rate: int = 44_100, channels: int = 2) -> np.ndarray:
    return music(seconds, sample_rate, channels).T.copy()


def version(name: str, samples: np.ndarray, sample_rate: int, folder: Path) -> tuple[np.ndarray, int]:
    return read_whole(write_version(samples, sample_rate, BY_NAME[name], folder))


def lag(a: np.ndarray, b: np.ndarray) -> int:
    """By how many samples `b` lags behind `a`."""
    n = 2 * max(len(a), len(b))
    at = int(np.argmax(np.fft.irfft(np.fft.rfft(b, n) * np.conj(np.fft.rfft(a, n)), n)))
    return at if at < n // 2 else at - n


def test_names_are_unique_and_described():
    assert len(BY_NAME) == len(PERTURBATIONS)
    assert ORIGINAL not in BY_NAME
    assert {p.group for p in PERTURBATIONS} == {"shift", "codec", "gain", "resampling", "channels", "eq", "noise"}
    assert all(p.what for p in PERTURBATIONS)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "m4a"])
def test_a_whole_file_is_read_at_its_rate_and_channels(tmp_path, kind):
    samples = music(2.0, 32_000, 2)
    read, rate = read_whole(write(tmp_path / f"a.{kind}", samples, 32_000))
    assert (rate, len(read), read.dtype) == (32_000, 2, np.float32)
    assert abs(read.shape[1] - len(samples)) <= 2 * 1152
    assert np.corrcoef(read[0, : len(samples)], samples[: read.shape[1], 0])[0, 1] > 0.99


def test_rejects_an_unreadable_file_with_its_reason(tmp_path):
    with pytest.raises(AudioError, match="unreadable: No such file"):
        read_whole(tmp_path / "gone.wav")
    sf.write(tmp_path / "none.wav", np.zeros((0, 1)), 8000)
    with pytest.raises(AudioError, match="empty: no samples"):
        read_whole(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("no audio at all")
    with pytest.raises(AudioError, match="not_audio"):
        read_whole(tmp_path / "text.wav")


@pytest.mark.parametrize(("name", "seconds"), [("shift 150 ms", 0.15), ("shift 400 ms", 0.4), ("shift 1,200 ms", 1.2)])
def test_a_shift_removes_the_start(tmp_path, name, seconds):
    samples = planes()
    shifted, rate = version(name, samples, 44_100, tmp_path)
    assert rate == 44_100
    assert np.array_equal(shifted, samples[:, round(seconds * 44_100) :])


def test_rejects_a_shift_longer_than_the_track(tmp_path):
    with pytest.raises(AudioError, match=r"too_short: 1\.00 s, nothing is left after shift 1,200 ms"):
        write_version(planes(1.0), 44_100, BY_NAME["shift 1,200 ms"], tmp_path)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(("sample_rate", "channels"), [(44_100, 2), (22_050, 1), (48_000, 1)])
def test_a_codec_keeps_rate_channels_time_and_most_of_the_sound(tmp_path, name, sample_rate, channels):
    samples = planes(4.0, sample_rate, channels)
    coded, rate = version(name, samples, sample_rate, tmp_path)
    assert (rate, len(coded)) == (sample_rate, channels)
    assert abs(coded.shape[1] - samples.shape[1]) <= 0.005 * sample_rate
    assert lag(samples[0], coded[0]) == 0
    n = min(coded.shape[1], samples.shape[1])
    error = coded[:, :n] - samples[:, :n]
    assert 1e-6 < np.mean(error**2) / np.mean(samples**2) < 0.05


@pytest.mark.parametrize("name", ["mp3 128 kb/s", "mp3 64 kb/s", "aac 96 kb/s"])
def test_files_have_the_bit_rate_of_their_name(tmp_path, name):
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 6 * 44_100), np.float32)  # fills any bit rate
    path = write_version(noise, 44_100, BY_NAME[name], tmp_path)
    assert 8 * path.stat().st_size / 6.0 == pytest.approx(BY_NAME[name].bit_rate, rel=0.1)


@pytest.mark.parametrize(
    ("sample_rate", "channels", "coded_rate"), [(8000, 1, 16_000), (96_000, 2, 48_000), (384_000, 2, 48_000)]
)
def test_unsupported_rates_are_resampled(tmp_path, sample_rate, channels, coded_rate):
    samples = planes(2.0, sample_rate, channels)
    for name in CODECS:
        coded, rate = version(name, samples, sample_rate, tmp_path)
        assert (rate, len(coded)) == (coded_rate, channels)
        assert coded.shape[1] / rate == pytest.approx(2.0, abs=0.03)


def test_more_than_two_channels_are_mixed_for_encoders(tmp_path):
    samples = planes(2.0, 44_100, 6)
    for name in CODECS:
        coded, _ = version(name, samples, 44_100, tmp_path)
        assert len(coded) == 1
        np.testing.assert_allclose(coded[0].std(), samples.mean(axis=0).std(), rtol=0.1)


@pytest.mark.parametrize(("name", "factor"), [("gain +6 dB", 10**0.3), ("gain -6 dB", 10**-0.3)])
def test_gain_scales_without_clipping(tmp_path, name, factor):
    samples = planes() / 0.6
    changed, _ = version(name, samples, 44_100, tmp_path)
    np.testing.assert_allclose(changed, samples * np.float32(factor), rtol=1e-6)
    assert (np.abs(changed).max() > 1.5) == (factor > 1)


@pytest.mark.parametrize(
    ("name", "sample_rate", "new_rate"),
    [("16 kHz", 44_100, 16_000), ("48 kHz", 44_100, 48_000), ("48 kHz", 48_000, 44_100)],
)
def test_resampling_keeps_duration_and_pitch(tmp_path, name, sample_rate, new_rate):
    samples = planes(3.0, sample_rate)
    changed, rate = version(name, samples, sample_rate, tmp_path)
    assert rate == new_rate
    assert changed.shape == (2, 3 * new_rate)
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * sample_rate) / sample_rate).astype(np.float32)[None]
    heard, _ = version(name, tone, sample_rate, tmp_path)
    assert np.argmax(np.abs(np.fft.rfft(heard[0]))) == 3 * 440


def test_stereo_becomes_its_mean_and_mono_two_equal_channels(tmp_path):
    stereo, mono = planes(channels=2), planes(channels=1)
    np.testing.assert_allclose(version("mono / stereo", stereo, 44_100, tmp_path)[0], stereo.mean(0)[None], atol=1e-6)
    assert np.array_equal(version("mono / stereo", mono, 44_100, tmp_path)[0], np.repeat(mono, 2, axis=0))


@pytest.mark.parametrize(("name", "sign"), [("eq bright", 1), ("eq dark", -1)])
def test_eq_tilts_the_spectrum_by_6_db_at_its_ends(tmp_path, name, sign):
    t = np.arange(4 * 48_000) / 48_000
    for hertz, gain_db in ((50, -6.0), (224, -3.0), (1000, 0.0), (4472, 3.0), (20_000, 6.0)):
        tone = (0.1 * np.sin(2 * np.pi * hertz * t) * np.hanning(len(t))).astype(np.float32)[None]
        heard, rate = version(name, tone, 48_000, tmp_path)
        assert heard.shape == tone.shape
        assert rate == 48_000
        assert 10 * np.log10(np.mean(heard**2) / np.mean(tone**2)) == pytest.approx(sign * gain_db, abs=0.1)


@pytest.mark.parametrize(("name", "snr_db"), [("noise 30 dB", 30.0), ("noise 20 dB", 20.0)])
def test_noise_has_its_level_and_is_seeded_by_the_recording(tmp_path, name, snr_db):
    samples = planes()
    noise = version(name, samples, 44_100, tmp_path)[0] - samples
    assert 10 * np.log10(np.mean(samples**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.1)
    np.testing.assert_allclose(noise[0], noise[1], atol=1e-6)
    assert np.array_equal(version(name, samples, 44_100, tmp_path)[0], samples + noise)
    other = version(name, samples[::-1].copy(), 44_100, tmp_path)[0] - samples[::-1]
    assert abs(np.corrcoef(noise[0], other[0])[0, 1]) < 0.02


def test_versions_are_extracted_like_tracks_of_the_catalog(tmp_path):
    path, folder = write(tmp_path / "a.flac", music(5.0)), tmp_path / "versions"
    folder.mkdir()
    versions = extract_versions(path, folder, CLIPS, DECODE)
    assert list(versions) == [ORIGINAL, *BY_NAME]
    assert list(folder.iterdir()) == []
    original = versions[ORIGINAL]
    assert isinstance(original, Extracted)
    assert np.array_equal(original.codes, extract(path, CLIPS, DECODE).codes)
    for name, changed in versions.items():
        assert isinstance(changed, Extracted)
        assert changed.codes.shape == original.codes.shape
        if name != ORIGINAL and BY_NAME[name].group in ("shift", "codec", "eq", "noise"):
            assert not np.array_equal(changed.codes, original.codes), name
    louder = versions["gain +6 dB"]
    assert isinstance(louder, Extracted)
    assert louder.peak_db == pytest.approx(original.peak_db + 6.0, abs=0.01)
    again = extract_versions(path, folder, CLIPS, DECODE)["noise 20 dB"]
    first = versions["noise 20 dB"]
    assert isinstance(again, Extracted)
    assert isinstance(first, Extracted)
    assert np.array_equal(again.codes, first.codes)


def test_a_version_that_cannot_be_used_says_why_and_the_others_stand(tmp_path):
    versions = extract_versions(write(tmp_path / "a.wav", music(1.23)), tmp_path, CLIPS, DECODE)
    errors = {name: str(found) for name, found in versions.items() if isinstance(found, AudioError)}
    assert errors == {"shift 1,200 ms": "too_short: 0.03 s, wanted at least 0.05 s"}


def test_stereo_channels_that_cancel_are_silent_in_mono(tmp_path):
    mono = music(3.0, channels=1)
    path = write(tmp_path / "a.wav", np.concatenate([mono, -mono], axis=1))
    found = extract_versions(path, tmp_path, CLIPS, DECODE)["mono / stereo"]
    assert isinstance(found, AudioError)
    assert found.reason == "silent"


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(AudioError, match="unreadable"):
        extract_versions(tmp_path / "gone.wav", tmp_path, CLIPS, DECODE)
