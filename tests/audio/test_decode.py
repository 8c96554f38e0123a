"""Every format at every rate gives the known signal at lag 0, from windows as from the whole."""

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import Decoded, decode_track
from audioae.audio.mel import decode_mel, encode_mel, log_mel
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.errors import AudioError
from tests.audio.made import FORMATS, music, write

CLIPS = ClipConfig(max_clips=4)
WHOLE, WINDOWS = DecodeConfig(whole_up_to_s=1e9), DecodeConfig(whole_up_to_s=0)
LOSSLESS = ("wav", "flac", "aiff")


def decode(path: Path, config: DecodeConfig = WHOLE, clips: ClipConfig = CLIPS) -> Decoded:
    return decode_track(path, clips, config)


def expected(samples: np.ndarray, sample_rate: int, starts_s: np.ndarray) -> np.ndarray:
    """The clips of a known signal; an encoder may add a block of silence at its end."""
    samples = np.concatenate([samples, np.zeros_like(samples[:2048])])
    mono = soxr.resample(samples.mean(axis=1), sample_rate, SAMPLE_RATE, quality="HQ")
    return np.stack([mono[round(s * SAMPLE_RATE) :][:CLIP_SAMPLES] for s in starts_s])


def error_db(got: np.ndarray, wanted: np.ndarray) -> float:
    return float(10 * np.log10(np.sum((got - wanted) ** 2) / np.sum(wanted**2)))


def assert_same_sound(kind: str, decoded: Decoded, samples: np.ndarray, sample_rate: int) -> None:
    """At lag 0: a lag of one sample of these signals is an error of about -20 dB."""
    if kind == "aac":  # the encoder's delay, which ADTS has no place to note
        samples = np.concatenate([np.zeros_like(samples[:1024]), samples])
    wanted = expected(samples, sample_rate, decoded.starts_s)
    assert decoded.clips.shape == wanted.shape
    assert decoded.clips.dtype == np.float32
    assert error_db(decoded.clips, wanted) < (-70 if kind in LOSSLESS else -17)
    lags = [error_db(np.roll(decoded.clips, lag, axis=1), wanted) for lag in (-2, -1, 0, 1, 2)]
    assert int(np.argmin(lags)) == 2, lags


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
    if kind != "aac":  # no seeking there
        assert windows.health["examined_s"] < 13


def test_windows_equal_the_whole_where_mp3_carries_much_from_frame_to_frame(tmp_path: Path):
    """48 kHz mono at a low, varying bit rate: a reader that seeks between blocks is off by 0.4 here."""
    path = tmp_path / "a.mp3"
    noise = np.random.default_rng(0).standard_normal(48_000 * 20).astype(np.float32) * 0.05
    with sf.SoundFile(path, "w", 48_000, 1, bitrate_mode="VARIABLE", compression_level=0.6) as file:
        file.write(music(20, 48_000, 1)[:, 0] + noise)
    at_once = sf.read(path, dtype="float32", always_2d=True)[0]
    for config in (WHOLE, WINDOWS):
        decoded = decode(path, config)
        np.testing.assert_allclose(decoded.clips, expected(at_once, 48_000, decoded.starts_s), atol=2e-6)


def test_real_vorbis_windows_equal_the_whole(real_recordings: Path):
    """libsndfile 1.2 misses after a seek in a Vorbis file that it has decoded from before."""
    for path in sorted((real_recordings / "music").glob("*.ogg"))[3:6]:
        np.testing.assert_allclose(decode(path, WINDOWS).clips, decode(path).clips, atol=2e-6)


def test_the_same_file_gives_the_same_bytes_whatever_came_before(tmp_path: Path):
    for kind in ("ogg", "mp3", "m4a"):
        path, other = (write(tmp_path / f"{name}.{kind}", music(8, seed=seed)) for seed, name in enumerate("ab"))
        first = decode(path, WINDOWS).clips.tobytes()
        decode(other, WINDOWS)
        assert decode(path, WINDOWS).clips.tobytes() == first


@pytest.mark.parametrize(
    ("kind", "named"), [("wav", "mp3"), ("mp3", "wav"), ("flac", "ogg"), ("m4a", "mp3"), ("ogg", "raw")]
)
def test_a_wrong_extension_is_no_error(tmp_path: Path, kind: str, named: str):
    samples = music(4)
    decoded = decode(write(tmp_path / f"a.{named}", samples, kind=kind))
    assert_same_sound(kind, decoded, samples, 44_100)


@pytest.mark.parametrize("seconds", [0.55, 1.0, 2.9])
def test_a_short_track_is_repeated_until_it_fills_a_clip(tmp_path: Path, seconds: float):
    samples = music(seconds, SAMPLE_RATE, 1)
    decoded = decode(write(tmp_path / "a.flac", samples, SAMPLE_RATE))
    assert decoded.padded
    np.testing.assert_allclose(decoded.clips, [np.resize(samples[:, 0], CLIP_SAMPLES)], atol=1e-4)


def test_a_repeated_sound_is_found_again_and_one_followed_by_zeros_is_not(real_recordings: Path):
    """By mean and deviation of the mel bands: the rank of a 3-s clip among others, asked for with its first second."""
    paths = sorted((real_recordings / "esc10").rglob("*.ogg"))[::8]
    clips = np.concatenate([decode(path, clips=ClipConfig(max_clips=1)).clips for path in paths])
    clips = clips[np.abs(clips[:, :SAMPLE_RATE]).max(axis=1) > 0.01]

    def statistics(waveforms: np.ndarray) -> np.ndarray:
        mels = decode_mel(encode_mel(log_mel(waveforms))[0])
        return np.concatenate([mels.mean(axis=2), mels.std(axis=2)], axis=1)

    def reciprocal_rank(queries: np.ndarray) -> float:
        table = statistics(clips)
        center, scale = table.mean(axis=0), table.std(axis=0)
        rows, asked = (table - center) / scale, (statistics(queries) - center) / scale
        scores = (asked / np.linalg.norm(asked, axis=1, keepdims=True)) @ (
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


def _stream_wav(path: Path, size: int) -> None:
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = content[4:8] = size.to_bytes(4, "little")
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_wav_written_into_a_pipe_does_not_know_its_size(tmp_path: Path, size: int):
    samples = music(5)
    path = write(tmp_path / "a.wav", samples)
    _stream_wav(path, size)
    assert_same_sound("wav", decode(path), samples, 44_100)


def test_mp3_of_varying_bit_rate_without_header_is_whole(tmp_path: Path):
    """Its first part is loud and its second quiet, so a length guessed from the first is far off."""
    samples = music(20)
    samples[5 * 44_100 :] *= 0.001
    noise = np.random.default_rng(0).standard_normal((5 * 44_100, 2)).astype(np.float32)
    samples[: 5 * 44_100] += 0.1 * noise
    path = tmp_path / "a.mp3"
    with sf.SoundFile(path, "w", 44_100, 2, bitrate_mode="VARIABLE", compression_level=0.3) as file:
        file.write(samples)
    content = path.read_bytes()
    path.write_bytes(content[content.index(b"\xff\xfb", 100) :])
    decoded = decode(path)
    assert decoded.health["claimed_s"] is None
    assert decoded.health["duration_s"] == pytest.approx(20, abs=0.1)
    assert decoded.clips[-1].std() > 0


ID3V2 = b"ID3\x04\x00\x00\x00\x02\x00\x00" + bytes(range(256)) * 128  # 32 kB: a cover
ID3V1 = b"TAG" + b"title".ljust(125, b"\0")
APE = b"APETAGEX\xd0\x07\x00\x00" + (32).to_bytes(4, "little") + bytes(4) + bytes(12)


@pytest.mark.parametrize("kind", ["mp3", "flac", "ogg", "aac", "wav", "m4a", "aiff", "opus"])
def test_tags_and_junk_around_whole_audio_are_no_fault(tmp_path: Path, kind: str):
    samples = music(5, 48_000)
    path = write(tmp_path / f"a.{kind}", samples, 48_000)
    content = path.read_bytes()
    before = ID3V2 if kind in ("mp3", "flac", "aac") else b""
    for after in (ID3V1, APE + ID3V1, np.random.default_rng(0).bytes(3000)):
        path.write_bytes(before + content + after)
        assert_same_sound(kind, decode(path), samples, 48_000)


def test_mp3s_joined_end_to_end_are_no_fault(tmp_path: Path):
    content = write(tmp_path / "a.mp3", music(5)).read_bytes()
    path = tmp_path / "b.mp3"
    frames = content[content.index(b"\xff\xfb", 100) :]
    path.write_bytes(frames + ID3V1 + ID3V2 + frames)
    assert decode(path).health["duration_s"] == pytest.approx(10, abs=0.2)


def test_memory_does_not_grow_with_the_track(tmp_path: Path):
    """160 s of six channels are 169 MB as float32; windows of them take a small part, as does reading it all."""
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


def test_settings_out_of_range_are_refused():
    for settings in ({"min_s": 4}, {"silence_dbfs": 3}, {"whole_up_to_s": -1}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            DecodeConfig(**settings)


def test_an_error_survives_pickling(tmp_path: Path):
    with pytest.raises(AudioError) as caught:
        decode(tmp_path / "missing.wav")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.reason, copy.detail) == (caught.value.reason, caught.value.detail)
