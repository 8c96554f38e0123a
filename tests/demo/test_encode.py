"""Encoders: every format decodes to the mix, states its length, and has its tags."""

import io
from typing import Any

import av
import numpy as np
import pytest
from mutagen import File

from audioae.demo.encode import LIBAV, SOUNDFILE, encode
from tests.demo.scores import RATE

FORMATS = (*LIBAV, *SOUNDFILE)
TONE = 0.3 * np.sin(2 * np.pi * 440 / RATE * np.arange(2 * RATE)).astype(np.float32)


def decode(content: bytes) -> np.ndarray:
    with av.open(io.BytesIO(content), "r") as container:
        resampler = av.AudioResampler("fltp")
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("fmt", FORMATS)
def test_a_format_decodes_to_the_mix(fmt: str, channels: int):
    planes = decode(encode(np.stack([TONE] * channels), RATE, fmt, 0.6, {"title": "A"}))
    assert len(planes) == channels
    assert abs(planes.shape[1] - len(TONE)) < 4096
    middle = planes[:, RATE // 2 : RATE]
    np.testing.assert_allclose(np.sqrt(np.mean(middle**2, axis=1)), 0.3 / 2**0.5, rtol=0.05)


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_file_states_its_length_and_has_its_tags(fmt: str):
    content = encode(np.stack([TONE, TONE]), RATE, fmt, 0.6, {"title": "Tone", "artist": "Someone"})
    tagged: Any = File(io.BytesIO(content), easy=fmt != "wav")
    assert tagged.info.length == pytest.approx(2.0, abs=0.1)
    title = tagged.tags["TIT2" if fmt == "wav" else "title"]
    assert str(title.text[0] if fmt == "wav" else title[0]) == "Tone"


@pytest.mark.parametrize("fmt", ["mp3", "m4a", "ogg"])
def test_quality_raises_the_bit_rate_of_lossy_formats(fmt: str):
    noise = np.random.default_rng(0).standard_normal((2, 2 * RATE)).astype(np.float32) * 0.1
    low, high = (len(encode(noise, RATE, fmt, quality, {})) for quality in (0.1, 0.9))
    assert high > 1.3 * low
