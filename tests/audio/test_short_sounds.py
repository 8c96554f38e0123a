"""Sounds of a few hundredths of a second, in every format: they are decoded, repeated, seen and heard like others."""

from pathlib import Path

import numpy as np
import pytest

from audioae.audio.clips import fill_clip
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.excerpt import excerpt
from audioae.audio.extract import extract
from audioae.audio.fingerprint import fingerprint_clips, is_same
from audioae.audio.listening import cut_audio
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from tests.audio.made import music, write

CLIPS = ClipConfig()


@pytest.mark.parametrize("seconds", [0.05, 0.06, 0.1, 0.3])
@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "opus"])
def test_a_short_sound_is_extracted_shown_and_cut(tmp_path: Path, kind: str, seconds: float):
    rate = 48_000 if kind == "opus" else 44_100
    path = write(tmp_path / f"a.{kind}", music(seconds, rate), rate)
    extracted = extract(path, CLIPS, DecodeConfig())
    assert (len(extracted.codes), extracted.padded) == (1, True)
    assert extracted.health["duration_s"] == pytest.approx(seconds, abs=0.001)
    assert extracted.health["fall_db"] is not None
    np.testing.assert_array_equal(excerpt(path, None, CLIPS).codes, extracted.codes[0])
    assert cut_audio(path, None, 30.0, CLIPS).seconds == pytest.approx(seconds, abs=0.001)
    fingerprint = fingerprint_clips(extracted.codes, extracted.starts_s)
    assert is_same(fingerprint, fingerprint)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100])
def test_the_shortest_sound_is_accepted_at_every_rate(tmp_path: Path, rate: int):
    """At 22,050 Hz 0.05 s are 1,102 samples and a half."""
    path = write(tmp_path / "a.wav", music(0.1, rate)[: int(0.05 * rate)], rate)
    assert extract(path, CLIPS, DecodeConfig()).padded


def test_a_sound_below_half_a_second_begins_once_a_second():
    sound = np.random.default_rng(0).standard_normal(SAMPLE_RATE // 2 - 1).astype(np.float32)
    seconds = fill_clip(sound).reshape(3, SAMPLE_RATE)
    assert (seconds[:, : len(sound)] == sound).all()
    assert (seconds[:, len(sound) :] == 0).all()


@pytest.mark.parametrize("n", [SAMPLE_RATE // 2, SAMPLE_RATE, CLIP_SAMPLES - 1, CLIP_SAMPLES, CLIP_SAMPLES + 5])
def test_a_longer_sound_is_repeated_end_to_end(n: int):
    sound = np.random.default_rng(0).standard_normal(n).astype(np.float32)
    np.testing.assert_array_equal(fill_clip(sound), np.resize(sound, CLIP_SAMPLES))
