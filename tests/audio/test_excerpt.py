"""An excerpt is the sound at its second in every format; the middle one is the stored middle clip."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.excerpt import excerpt
from audioae.audio.extract import extract
from audioae.audio.mel import encode_mel, log_mel
from audioae.constants import CLIP_S, SAMPLE_RATE
from audioae.errors import AudioError

RATE = 44_100


def write(path: Path, waveform: np.ndarray) -> str:
    sf.write(path, waveform.T, RATE)
    return str(path)


def tone(hz: float, seconds: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


def band(codes: np.ndarray) -> int:
    return int(codes.astype(float).mean(axis=1).argmax())


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "m4a"])
def test_the_middle_excerpt_is_the_stored_middle_clip(tiny_audio: Path, kind: str):
    path = next(tiny_audio.rglob(f"*.{kind}"))
    stored, config = extract(path, ClipConfig(), DecodeConfig()), ClipConfig()
    read, middle = excerpt(path, None, config), len(stored.codes) // 2
    assert read.start_s == pytest.approx(stored.starts_s[middle], abs=1e-4)
    assert np.abs(read.codes.astype(int) - stored.codes[middle]).mean() < 0.5
    assert read.audio[:2] == b"\xff\xf3"


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_an_excerpt_begins_at_the_given_second(tmp_path: Path, kind: str):
    waveform = np.concatenate([tone(200, 6), tone(3000, 6)])
    path = write(tmp_path / f"two.{kind}", np.stack([waveform, waveform]))
    low, high = (excerpt(path, start_s, ClipConfig()) for start_s in (2.0, 6.5))
    assert (low.start_s, high.start_s) == (2.0, 6.5)
    assert band(low.codes) < 20 < 60 < band(high.codes)
    across = excerpt(path, 4.5, ClipConfig()).codes
    assert band(across[:, :60]) < 20 < 60 < band(across[:, 70:])


def test_an_excerpt_stays_inside_the_track(tmp_path: Path):
    path = write(tmp_path / "short.wav", tone(200, 5)[None])
    assert excerpt(path, 4.9, ClipConfig()).start_s == pytest.approx(5 - CLIP_S)
    assert excerpt(path, -3.0, ClipConfig()).start_s == 0


def test_a_track_below_three_seconds_is_repeated(tmp_path: Path):
    path = write(tmp_path / "one.wav", tone(200, 1)[None])
    read = excerpt(path, 0.5, ClipConfig())
    assert read.start_s == 0
    assert (read.codes.max(axis=0) > 200).all()


def test_channels_that_cancel_are_read_from_the_loudest(tmp_path: Path):
    waveform = tone(1000, 4)
    alone = write(tmp_path / "alone.wav", waveform[None])
    canceling = write(tmp_path / "canceling.wav", np.stack([waveform, -waveform]))
    np.testing.assert_array_equal(excerpt(canceling, 0, ClipConfig()).codes, excerpt(alone, 0, ClipConfig()).codes)


def test_resampling_keeps_the_pitch(tmp_path: Path):
    path = write(tmp_path / "tone.wav", tone(1000, 4)[None])
    wanted = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    assert band(excerpt(path, 0, ClipConfig()).codes) == band(encode_mel(log_mel(wanted[None]))[0][0])


@pytest.mark.parametrize("content", [None, b"", b"no audio at all" * 100])
def test_rejects_an_unreadable_file_with_its_reason(tmp_path: Path, content: bytes | None):
    path = tmp_path / "broken.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=r"unreadable|not_audio|empty"):
        excerpt(path, 0, ClipConfig())


def test_rejects_samples_that_are_not_finite(tmp_path: Path):
    waveform = tone(200, 4)
    waveform[RATE] = np.nan
    sf.write(tmp_path / "nan.wav", waveform, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"NaN or infinite samples from 0\.0 s on"):
        excerpt(tmp_path / "nan.wav", 0, ClipConfig())
