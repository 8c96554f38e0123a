"""Every reason to refuse a file, for each container, with a detail a person understands."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import REASONS, decode_track
from audioae.audio.integrity.flac import _utf8_coded, _utf8_number
from audioae.errors import AudioError
from tests.audio.made import FORMATS, damage, music, truncate, write

WHOLE, WINDOWS = DecodeConfig(whole_up_to_s=1e9), DecodeConfig(whole_up_to_s=0)
BOTH = pytest.mark.parametrize("config", [WHOLE, WINDOWS], ids=["whole", "windows"])


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    noise = np.random.default_rng(0).standard_normal((48_000 * 30, 2)).astype(np.float32)
    samples = music(30, 48_000) + 0.02 * noise
    return {kind: write(folder / f"a.{kind}", samples, 48_000) for kind in FORMATS}


def reject(path: Path, config: DecodeConfig = WHOLE) -> AudioError:
    with pytest.raises(AudioError) as caught:
        decode_track(path, ClipConfig(max_clips=3), config)
    assert caught.value.reason in REASONS
    return caught.value


def copy_of(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    return copy


@BOTH
@pytest.mark.parametrize("share", [0.3, 0.95])
@pytest.mark.parametrize("kind", FORMATS)
def test_truncated(whole_files: dict[str, Path], tmp_path: Path, kind: str, share: float, config: DecodeConfig):
    path = copy_of(whole_files[kind], tmp_path)
    truncate(path, share)
    error = reject(path, config)
    assert error.reason == "truncated"
    if kind == "m4a":  # its index stands at the end, so only bytes are known
        assert re.match(r"[\d,]+ of [\d,]+ bytes", error.detail)
    elif kind in ("ogg", "opus", "aac"):  # these do not say how long they are
        assert float(error.detail.split()[0]) == pytest.approx(30 * share, abs=1.5)
    else:
        found, claimed = re.match(r"([\d.]+) of ([\d.]+) s", error.detail).groups()  # type: ignore  # None fails
        assert float(found) == pytest.approx(30 * share, abs=1.5)
        assert float(claimed) == pytest.approx(30, abs=0.1)


@BOTH
@pytest.mark.parametrize("n_bytes", [2_000, 20_000])
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in ("wav", "aiff")])
def test_corrupt_in_the_middle(
    whole_files: dict[str, Path], tmp_path: Path, kind: str, n_bytes: int, config: DecodeConfig
):
    path = copy_of(whole_files[kind], tmp_path)
    if kind == "flac":
        n_bytes *= 10  # its frames are ten times as large
    damage(path, 0.6, n_bytes)
    error = reject(path, config)
    assert error.reason == "corrupt"
    at_s = float(re.match(r"at ([\d.]+) s", error.detail).group(1))  # type: ignore  # None fails
    assert at_s == pytest.approx(18, abs=1.5)


def test_damage_inside_one_flac_frame_is_found_by_its_checksum(whole_files: dict[str, Path], tmp_path: Path):
    path = copy_of(whole_files["flac"], tmp_path)
    damage(path, 0.6, 100)
    assert reject(path).reason == "corrupt"


@pytest.mark.parametrize("kind", ["wav", "aiff"])
def test_damage_in_plain_pcm_leaves_no_trace(whole_files: dict[str, Path], tmp_path: Path, kind: str):
    path = copy_of(whole_files[kind], tmp_path)
    damage(path, 0.6, 2_000)
    assert len(decode_track(path, ClipConfig(max_clips=8), WHOLE).clips) == 8


@pytest.mark.parametrize("kind", ["mp3", "flac", "ogg"])
def test_a_garbled_end_is_corrupt_and_not_truncated(whole_files: dict[str, Path], tmp_path: Path, kind: str):
    path = copy_of(whole_files[kind], tmp_path)
    damage(path, 0.8, path.stat().st_size)
    assert reject(path).reason == "corrupt"


def test_an_mp4_with_its_index_in_front_says_how_many_seconds_are_there(whole_files: dict[str, Path], tmp_path: Path):
    content = whole_files["m4a"].read_bytes()
    moov = content.index(b"moov") - 4
    size = int.from_bytes(content[moov : moov + 4], "big")
    start = content.index(b"mdat") - 4
    path = tmp_path / "a.m4a"
    faststart = content[:start] + content[moov : moov + size] + content[start:moov]
    path.write_bytes(faststart[: len(faststart) // 2])
    assert re.match(r"about 1[45]\.\d of 30\.0 s", reject(path).detail)


def test_a_web_radio_recording_without_its_last_page_is_whole(whole_files: dict[str, Path], tmp_path: Path):
    content = whole_files["ogg"].read_bytes()
    path = tmp_path / "a.ogg"
    path.write_bytes(content[: content.rindex(b"OggS")])
    assert decode_track(path, ClipConfig(), WHOLE).health["duration_s"] == pytest.approx(30, abs=1)


@BOTH
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e25])
def test_non_finite(tmp_path: Path, bad: float, config: DecodeConfig):
    samples = music(6)
    samples[100_000:100_101, 1] = bad
    path = tmp_path / "a.wav"
    sf.write(path, samples, 44_100, subtype="FLOAT")
    error = reject(path, config)
    assert error.reason == "non_finite"
    assert error.detail.startswith("101 NaN, infinite or huge samples from 2.27 s on")


def test_integers_written_as_floats_are_too_loud_but_usable(tmp_path: Path):
    path = tmp_path / "a.wav"
    sf.write(path, music(4) * 32_768, 44_100, subtype="FLOAT")
    assert decode_track(path, ClipConfig(), WHOLE).health["clipped_fraction"] > 0.5


def test_too_short(tmp_path: Path):
    error = reject(write(tmp_path / "a.wav", music(0.3)))
    assert (error.reason, error.detail) == ("too_short", "0.30 s, wanted at least 0.5 s")
    path = tmp_path / "none.wav"
    sf.write(path, np.zeros((0, 2)), 44_100)
    assert reject(path).reason == "too_short"


@BOTH
@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "m4a"])
def test_silent(tmp_path: Path, kind: str, config: DecodeConfig):
    error = reject(write(tmp_path / f"a.{kind}", np.zeros((44_100 * 5, 2), np.float32)), config)
    assert error.reason == "silent"
    assert "wanted -72 or more" in error.detail


def test_dither_and_direct_current_are_silent_and_quiet_music_is_not(tmp_path: Path):
    dither = np.random.default_rng(0).integers(-1, 2, (44_100 * 4, 2)) / 32_768
    assert reject(write(tmp_path / "dither.wav", dither)).reason == "silent"
    assert reject(write(tmp_path / "dc.wav", np.full((44_100 * 4, 1), 0.3))).reason == "silent"
    quiet = write(tmp_path / "quiet.flac", music(4) * 0.002)
    assert len(decode_track(quiet, ClipConfig(), WHOLE).clips) == 1


def test_empty(tmp_path: Path):
    path = tmp_path / "a.mp3"
    path.touch()
    assert reject(path).reason == "empty"


JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + np.random.default_rng(3).bytes(30_000) + b"\xff\xd9"
NO_AUDIO = {
    "text": b"not audio at all\n" * 1000,
    "jpeg": JPEG,
    "random": np.random.default_rng(0).bytes(200_000),
    "zeros": bytes(50_000),
    "one byte": b"R",
    "html": b"<!DOCTYPE html><html><body>404</body></html>",
}


@pytest.mark.parametrize("name", NO_AUDIO)
@pytest.mark.parametrize("extension", ["mp3", "wav", "m4a", "ogg", "flac", "txt"])
def test_not_audio(tmp_path: Path, name: str, extension: str):
    path = tmp_path / f"a.{extension}"
    path.write_bytes(NO_AUDIO[name])
    assert reject(path).reason == "not_audio"


def test_unreadable(tmp_path: Path):
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
def test_a_header_alone_is_refused(whole_files: dict[str, Path], tmp_path: Path, kind: str):
    path = tmp_path / f"a.{kind}"
    for n_bytes in (12, 60, 200, 1_000):
        path.write_bytes(whole_files[kind].read_bytes()[:n_bytes])
        assert reject(path).reason in ("truncated", "corrupt", "not_audio", "too_short")


@pytest.mark.parametrize("kind", FORMATS)
def test_whatever_bytes_change_a_file_is_decoded_or_refused_with_a_reason(tmp_path: Path, kind: str):
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
            assert error.reason in REASONS  # noqa: PT017  either outcome is right, any other error is not
        else:
            assert np.isfinite(clips).all()


@pytest.mark.parametrize(("rate", "channels"), [(3, 1), (2_000_000_000, 1)])
def test_an_impossible_sample_rate_is_refused(tmp_path: Path, rate: int, channels: int):
    path = write(tmp_path / "a.wav", music(2, channels=channels))
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(bytes(content))
    assert f"{rate:,} Hz" in reject(path).detail


def test_flac_numbers_are_coded_as_utf8_beyond_unicode():
    for number in (0, 127, 128, 2047, 2048, 65_535, 65_536, 1 << 21, 1 << 26, (1 << 31) - 1, 1 << 31, (1 << 36) - 1):
        assert _utf8_number(_utf8_coded(number) + b"xx") == number
    assert _utf8_coded(0x20AC) == "€".encode()
