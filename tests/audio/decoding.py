"""Shared by the tests of decoding: decode a file, compare it with a known signal, expect a rejection."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import soxr

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import REASONS, Decoded, decode_track
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.errors import AudioError
from tests.audio.made import music

RATE = 44_100
CLIPS = ClipConfig(max_clips=4)
WHOLE, WINDOWS = DecodeConfig(whole_up_to_s=1e9), DecodeConfig(whole_up_to_s=0)
ALL_CONFIGS = pytest.mark.parametrize("config", [WHOLE, WINDOWS], ids=["whole", "windows"])
LOSSLESS = ("wav", "flac", "aiff")
ID3V2 = b"ID3\x04\x00\x00\x00\x02\x00\x00" + bytes(range(256)) * 128  # 32 kB: a cover
ID3V1 = b"TAG" + b"title".ljust(125, b"\0")
APE = b"APETAGEX\xd0\x07\x00\x00" + (32).to_bytes(4, "little") + bytes(4) + bytes(12)


def decode(path: Path, config: DecodeConfig = WHOLE, clips: ClipConfig = CLIPS) -> Decoded:
    return decode_track(path, clips, config)


def expected(samples: np.ndarray, sample_rate: int, starts_s: np.ndarray) -> np.ndarray:
    """The clips of a known signal, which is extended by the silence that an encoder may add."""
    samples = np.concatenate([samples, np.zeros_like(samples[:2048])])
    mono = soxr.resample(samples.mean(axis=1), sample_rate, SAMPLE_RATE, quality="HQ")
    return np.stack([mono[round(s * SAMPLE_RATE) :][:CLIP_SAMPLES] for s in starts_s])


def error_db(got: np.ndarray, wanted: np.ndarray) -> float:
    return float(10 * np.log10(np.sum((got - wanted) ** 2) / np.sum(wanted**2)))


def assert_same_sound(kind: str, decoded: Decoded, samples: np.ndarray, sample_rate: int) -> None:
    """Compare clips with the known signal at lag 0. A lag of one sample is an error of about -20 dB."""
    if kind == "aac":  # the encoder's delay, which ADTS does not store
        samples = np.concatenate([np.zeros_like(samples[:1024]), samples])
    wanted = expected(samples, sample_rate, decoded.starts_s)
    assert decoded.clips.shape == wanted.shape
    assert decoded.clips.dtype == np.float32
    assert error_db(decoded.clips, wanted) < (-70 if kind in LOSSLESS else -17)
    lags = [error_db(np.roll(decoded.clips, lag, axis=1), wanted) for lag in (-2, -1, 0, 1, 2)]
    assert int(np.argmin(lags)) == 2, lags


def reject(path: Path, config: DecodeConfig = WHOLE) -> AudioError:
    """The error with which a file is rejected."""
    with pytest.raises(AudioError) as caught:
        decode_track(path, ClipConfig(max_clips=3), config)
    assert caught.value.reason in REASONS
    return caught.value


def copy_of(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    return copy


def noisy_music(seconds: float = 8.0, channels: int = 2) -> np.ndarray:
    """Music with content up to half the sample rate and different channels."""
    noise = np.random.default_rng(0).standard_normal((round(seconds * RATE), channels)).astype(np.float32)
    return music(seconds, RATE, channels) + 0.003 * noise


def health_of(path: Path, samples: np.ndarray, subtype: str = "FLOAT") -> dict[str, Any]:
    """The evidence of samples (n, channels) that are written to a wav file and decoded."""
    sf.write(path, samples, RATE, subtype=subtype)
    return decode_track(path, ClipConfig(), DecodeConfig()).health
