"""Decoding gives the known signal at lag 0 in every format, from windows and from the whole, or a reason to reject."""

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import REASONS, decode_track
from audioae.audio.mel import decode_mel, encode_mel, log_mel
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.errors import AudioError
from tests.audio.decoding import (
    ALL_CONFIGS,
    WHOLE,
    WINDOWS,
    assert_same_sound,
    decode,
    error_db,
    expected,
    reject,
)
from tests.audio.made import FORMATS, music, write

CASES = [
    (kind, rate, channels)
    for kind in FORMATS
    for rate, channels in [(44_100, 2), (48_000, 1), (22_050, 2), (16_000, 1)]
    if not (kind == "opus" and rate in (44_100, 22_050))
]
CASES += [(kind, 48_000, 6) for kind in ("wav", "flac", "ogg", "opus", "m4a")]
CASES += [("wav", 8_000, 8), ("flac", 96_000, 8), ("aiff", 192_000, 3), ("wav", 44_056, 2), ("m4a", 48_000, 8)]


@pytest.mark.parametrize(("kind", "rate", "channels"), CASES)
def test_every_format_gives_the_known_signal(tmp_path: Path, kind: str, rate: int, channels: int):
    samples = music(6.5, rate, channels)
    path = write(tmp_path / f"a.{kind}", samples, rate)
    for config in (WHOLE, WINDOWS):
        decoded = decode(path, config)
        assert_same_sound(kind, decoded, samples, rate)
        assert not decoded.padded
        assert decoded.health["channels"] == channels
        assert decoded.health["sample_rate"] == rate


@pytest.mark.parametrize("kind", FORMATS)
def test_windows_equal_the_whole(tmp_path: Path, kind: str):
    rate = 48_000 if kind == "opus" else 44_100
    path = write(tmp_path / f"a.{kind}", music(40, rate), rate)
    whole, windows = decode(path), decode(path, WINDOWS)
    np.testing.assert_array_equal(whole.starts_s, windows.starts_s)
    np.testing.assert_allclose(windows.clips, whole.clips, atol=2e-6)
    assert whole.health["examined_s"] == pytest.approx(whole.health["duration_s"])
    if kind != "aac":  # it cannot seek
        assert windows.health["examined_s"] < 13


def test_clips_do_not_depend_on_files_decoded_before(tmp_path: Path):
    for kind in ("ogg", "mp3", "m4a"):
        path, other = (write(tmp_path / f"{name}.{kind}", music(8, seed=seed)) for seed, name in enumerate("ab"))
        first = decode(path, WINDOWS).clips.tobytes()
        decode(other, WINDOWS)
        assert decode(path, WINDOWS).clips.tobytes() == first


@pytest.mark.parametrize("seconds", [0.55, 1.0, 2.9])
def test_a_short_track_is_repeated_until_it_fills_a_clip(tmp_path: Path, seconds: float):
    samples = music(seconds, SAMPLE_RATE, 1)
    decoded = decode(write(tmp_path / "a.flac", samples, SAMPLE_RATE))
    assert decoded.padded
    np.testing.assert_allclose(decoded.clips, [np.resize(samples[:, 0], CLIP_SAMPLES)], atol=1e-4)


def test_repetition_of_a_short_sound_retrieves_better_than_zero_padding(real_recordings: Path):
    """The first second of each clip is the query; mean and deviation of the mel bands rank the 3-s clips."""
    paths = sorted((real_recordings / "esc10").rglob("*.ogg"))[::8]
    clips = np.concatenate([decode(path, clips=ClipConfig(max_clips=1)).clips for path in paths])
    clips = clips[np.abs(clips[:, :SAMPLE_RATE]).max(axis=1) > 0.01]

    def statistics(waveforms: np.ndarray) -> np.ndarray:
        mels = decode_mel(encode_mel(log_mel(waveforms))[0])
        return np.concatenate([mels.mean(axis=2), mels.std(axis=2)], axis=1)

    def reciprocal_rank(queries: np.ndarray) -> float:
        table = statistics(clips)
        center, scale = table.mean(axis=0), table.std(axis=0)
        rows, wanted = (table - center) / scale, (statistics(queries) - center) / scale
        scores = (wanted / np.linalg.norm(wanted, axis=1, keepdims=True)) @ (
            rows / np.linalg.norm(rows, axis=1, keepdims=True)
        ).T
        return float(np.mean(1 / (scores >= np.diag(scores)[:, None]).sum(axis=1)))

    repeated = np.stack([np.resize(clip[:SAMPLE_RATE], CLIP_SAMPLES) for clip in clips])
    zeros = np.where(np.arange(CLIP_SAMPLES) < SAMPLE_RATE, clips, 0).astype(np.float32)
    assert reciprocal_rank(repeated) > reciprocal_rank(zeros) + 0.3


def test_a_track_of_exactly_one_clip_is_not_padded(tmp_path: Path):
    decoded = decode(write(tmp_path / "a.wav", music(3.0)))
    assert not decoded.padded
    assert decoded.clips.shape == (1, CLIP_SAMPLES)


def test_mono_and_stereo_copies_have_the_same_level(tmp_path: Path):
    mono = music(4, channels=1)
    one = decode(write(tmp_path / "1.wav", mono))
    two = decode(write(tmp_path / "2.wav", np.repeat(mono, 2, axis=1)))
    np.testing.assert_allclose(one.clips, two.clips, atol=1e-6)


@pytest.mark.parametrize("config", [WHOLE, WINDOWS])
def test_channels_that_cancel_are_not_mixed(tmp_path: Path, config: DecodeConfig):
    mono = music(5, channels=1)[:, 0]
    decoded = decode(write(tmp_path / "a.wav", np.stack([mono, -0.9 * mono], axis=1)), config)
    assert decoded.health["mono_from"] == "channel 0"
    assert decoded.health["correlation"] == pytest.approx(-1, abs=1e-3)
    assert error_db(decoded.clips, expected(mono[:, None], 44_100, decoded.starts_s)) < -70


def test_a_dead_channel_does_not_make_a_track_silent(tmp_path: Path):
    samples = music(4)
    samples[:, 1] = 0
    decoded = decode(write(tmp_path / "a.wav", samples))
    assert decoded.health["mono_from"] == "mean"
    assert decoded.health["channel_difference_db"] > 60


def test_memory_does_not_grow_with_the_track(tmp_path: Path):
    """160 s of six channels are 169 MB as float32; both ways of reading need a fraction of it."""
    path = tmp_path / "a.flac"
    second = music(1, 44_100, 6)
    with sf.SoundFile(path, "w", 44_100, 6) as file:
        for _ in range(160):
            file.write(second)
    for config, bound in ((WINDOWS, 25e6), (WHOLE, 60e6)):
        tracemalloc.start()
        decode(path, config)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < bound


@ALL_CONFIGS
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e25])
def test_rejects_samples_that_are_not_finite(tmp_path: Path, bad: float, config: DecodeConfig):
    samples = music(6)
    samples[100_000:100_101, 1] = bad
    path = tmp_path / "a.wav"
    sf.write(path, samples, 44_100, subtype="FLOAT")
    error = reject(path, config)
    assert error.reason == "non_finite"
    assert error.detail.startswith("101 NaN, infinite or huge samples from 2.27 s on")


def test_integers_stored_as_floats_are_clipped_but_accepted(tmp_path: Path):
    path = tmp_path / "a.wav"
    sf.write(path, music(4) * 32_768, 44_100, subtype="FLOAT")
    assert decode_track(path, ClipConfig(), WHOLE).health["clipped_fraction"] > 0.5


def test_rejects_a_track_that_is_too_short(tmp_path: Path):
    error = reject(write(tmp_path / "a.wav", music(0.03)))
    assert (error.reason, error.detail) == ("too_short", "0.03 s, wanted at least 0.05 s")
    path = tmp_path / "none.wav"
    sf.write(path, np.zeros((0, 2)), 44_100)
    assert reject(path).reason == "too_short"


@ALL_CONFIGS
@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "m4a"])
def test_rejects_silence(tmp_path: Path, kind: str, config: DecodeConfig):
    error = reject(write(tmp_path / f"a.{kind}", np.zeros((44_100 * 5, 2), np.float32)), config)
    assert error.reason == "silent"
    assert "wanted -72 dBFS or more" in error.detail


def test_dither_and_dc_are_silent_but_quiet_music_is_not(tmp_path: Path):
    dither = np.random.default_rng(0).integers(-1, 2, (44_100 * 4, 2)) / 32_768
    assert reject(write(tmp_path / "dither.wav", dither)).reason == "silent"
    assert reject(write(tmp_path / "dc.wav", np.full((44_100 * 4, 1), 0.3))).reason == "silent"
    quiet = write(tmp_path / "quiet.flac", music(4) * 0.002)
    assert len(decode_track(quiet, ClipConfig(), WHOLE).clips) == 1


def test_rejects_an_empty_file(tmp_path: Path):
    path = tmp_path / "a.mp3"
    path.touch()
    assert reject(path).reason == "empty"


def test_rejects_unreadable_paths(tmp_path: Path):
    assert reject(tmp_path / "missing.mp3").reason == "unreadable"
    assert "Is a directory" in reject(tmp_path).detail
    path = write(tmp_path / "a.wav", music(1))
    (tmp_path / "link.wav").symlink_to(tmp_path / "gone.wav")
    assert reject(tmp_path / "link.wav").reason == "unreadable"
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        assert "Permission denied" in reject(path).detail


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_with_random_damage_is_decoded_or_rejected_with_a_reason(tmp_path: Path, kind: str):
    rng = np.random.default_rng(0)
    content = write(tmp_path / f"a.{kind}", music(2, 48_000), 48_000).read_bytes()
    path = tmp_path / f"b.{kind}"
    for i in range(25):
        changed = bytearray(content)
        for _ in range(3):
            end = 300 if rng.random() < 0.6 else len(changed)
            changed[int(rng.integers(0, end))] = int(rng.integers(0, 256))
        path.write_bytes(bytes(changed))
        try:
            clips = decode_track(path, ClipConfig(), WHOLE if i % 2 else WINDOWS).clips
        except AudioError as error:
            assert error.reason in REASONS  # noqa: PT017  both outcomes are correct; any other error is not
        else:
            assert np.isfinite(clips).all()


@pytest.mark.parametrize(("rate", "channels"), [(3, 1), (2_000_000_000, 1)])
def test_rejects_an_impossible_sample_rate(tmp_path: Path, rate: int, channels: int):
    path = write(tmp_path / "a.wav", music(2, channels=channels))
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(bytes(content))
    assert f"{rate:,} Hz" in reject(path).detail


def test_an_error_survives_pickling(tmp_path: Path):
    with pytest.raises(AudioError) as caught:
        decode(tmp_path / "missing.wav")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.reason, copy.detail) == (caught.value.reason, caught.value.detail)
