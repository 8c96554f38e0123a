"""Windows for a network: the right places of the file at the network's rate, and nothing else of the decode changes."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from audioae.audio.config import ClipConfig, DecodeConfig, WindowConfig
from audioae.audio.decode import Decoded, decode_track
from audioae.audio.extract import extract
from audioae.audio.windows import plan_windows
from audioae.errors import AudioError
from tests.audio.made import music, write

CLIPS = ClipConfig(max_clips=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("windows") / "a.flac", music(40.0, channels=1))


@cache
def without_windows(path: Path, whole_up_to_s: float) -> Decoded:
    return decode_track(path, CLIPS, DecodeConfig(whole_up_to_s=whole_up_to_s))


@cache
def resampled(path: Path, sample_rate: int) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, sample_rate)


@pytest.mark.parametrize("whole_up_to_s", [75.0, 10.0], ids=["whole", "clips only"])
@pytest.mark.parametrize(
    ("sample_rate", "seconds", "starts_s"),
    [
        (16_000, 3.0, [3.5, 13.5, 23.5, 33.5]),
        (48_000, 3.0, [3.5, 13.5, 23.5, 33.5]),
        (16_000, 1.5, [3.5, 5.0, 13.5, 15.0, 23.5, 25.0, 33.5, 35.0]),
        (16_000, 1.0, [3.5, 4.5, 5.5, 13.5, 14.5, 15.5, 23.5, 24.5, 25.5, 33.5, 34.5, 35.5]),
        (16_000, 2.0, [4.0, 14.0, 24.0, 34.0]),
        (16_000, 6.0, [7.0, 27.0]),
        (44_100, 12.0, [14.0]),
    ],
)
def test_windows_are_the_file_at_another_rate(path, sample_rate, seconds, starts_s, whole_up_to_s):
    window, decode = WindowConfig(sample_rate=sample_rate, seconds=seconds), DecodeConfig(whole_up_to_s=whole_up_to_s)
    decoded, plain = decode_track(path, CLIPS, decode, window=window), without_windows(path, whole_up_to_s)
    whole = resampled(path, sample_rate)
    starts = [round(start * sample_rate) for start in starts_s]
    wanted = np.stack([whole[start : start + window.n_samples] for start in starts])
    assert isinstance(decoded.windows, np.ndarray)
    np.testing.assert_allclose(decoded.windows, wanted, atol=2e-4)
    assert plain.windows is None
    np.testing.assert_array_equal(decoded.clips, plain.clips)
    assert decoded.health == plain.health


def test_a_high_rate_keeps_what_the_clips_do_not_have(tmp_path: Path):
    t = np.arange(4 * 44_100) / 44_100
    tone = (0.5 * np.sin(2 * np.pi * 15_000 * t)).astype(np.float32)[:, None]
    window = WindowConfig(sample_rate=48_000)
    windows = extract(write(tmp_path / "a.wav", tone), CLIPS, DecodeConfig(), window=window).windows
    assert isinstance(windows, np.ndarray)
    spectrum = np.abs(np.fft.rfft(windows[0]))
    assert spectrum.argmax() == 45_000  # of 72,000: 15 kHz
    assert np.square(windows[0]).mean() == pytest.approx(0.125, rel=0.01)


@pytest.mark.parametrize(
    ("duration", "seconds", "n"), [(0.2, 3.0, 1), (1.0, 3.0, 1), (2.0, 0.9, 2), (4.0, 10.0, 1), (9.0, 10.0, 1)]
)
def test_short_tracks_are_repeated(tmp_path: Path, duration: float, seconds: float, n: int):
    sound = music(duration, 16_000, channels=1)
    window = WindowConfig(sample_rate=16_000, seconds=seconds)
    windows = extract(write(tmp_path / "a.flac", sound, 16_000), CLIPS, DecodeConfig(), window=window).windows
    assert isinstance(windows, np.ndarray)
    assert windows.shape == (n, round(seconds * 16_000))
    if seconds > duration:
        period = 16_000 if duration < 0.5 else len(sound)  # a short sound begins once a second
        filled = np.resize(np.pad(sound[:, 0], (0, period - len(sound))), windows.shape[1])
        np.testing.assert_allclose(windows[0], filled, atol=1e-4)


def test_windows_are_of_the_channel_that_represents_the_track(tmp_path: Path):
    mono = music(4.0, channels=1)
    path = write(tmp_path / "a.wav", np.concatenate([mono, -0.99 * mono], axis=1))
    windows = extract(path, CLIPS, DecodeConfig(), window=WindowConfig(sample_rate=44_100)).windows
    assert isinstance(windows, np.ndarray)
    np.testing.assert_allclose(windows[0], mono[22_050 : 22_050 + 3 * 44_100, 0], atol=1e-4)


def test_long_windows_that_cannot_be_read_say_why(tmp_path: Path):
    samples = music(40.0)[:, :1].copy()
    samples[20 * 44_100 : 20 * 44_100 + 100] = np.nan  # between the clips, within the window from 14 to 26 s
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, 44_100, subtype="FLOAT")
    decode, window = DecodeConfig(whole_up_to_s=10), WindowConfig(sample_rate=16_000, seconds=12)
    extracted = extract(path, CLIPS, decode, window=window)
    assert len(extracted.codes) == 4
    assert isinstance(extracted.windows, AudioError)
    assert extracted.windows.reason == "non_finite"


def test_windows_have_the_length_of_all_clips_together():
    for seconds, n in ((0.96, 72), (1.0, 72), (3.0, 24), (5.0, 14), (10.0, 7), (60.0, 1)):
        config, starts = ClipConfig(), np.arange(24) * 10.0
        found = plan_windows(240.0, starts, config, WindowConfig(sample_rate=16_000, seconds=seconds))
        assert len(found) == n
        assert found.min() >= 0
        assert found.max() <= 240 - seconds
