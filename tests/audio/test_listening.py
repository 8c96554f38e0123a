"""What is cut is what the track sounds like there: sample by sample where the format keeps samples."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioae.audio.config import ClipConfig
from audioae.audio.listening import Cut, cut_audio
from audioae.errors import AudioError
from tests.audio import made
from tests.audio.test_excerpt import RATE, tone, write


def samples(cut: Cut) -> np.ndarray:
    """The planes of a cut, shape (channels, n)."""
    waveform, rate = sf.read(io.BytesIO(cut.content), always_2d=True)
    assert rate == RATE
    return waveform.T


def noise(seconds: float, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.5, 0.5, (channels, round(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_the_sound_is_that_of_the_file_in_stereo(tmp_path: Path, kind: str):
    waveform = noise(20)
    cut = cut_audio(write(tmp_path / f"noise.{kind}", waveform), 5.0, 10.0, ClipConfig())
    assert (cut.start_s, cut.seconds, cut.duration_s) == (5.0, 10.0, 20.0)
    heard, there = samples(cut), waveform[:, 5 * RATE : 15 * RATE]
    faded = int(0.005 * RATE)
    np.testing.assert_allclose(heard[:, faded:-faded], there[:, faded:-faded], atol=1e-4)
    assert np.abs(heard[:, [0, -1]]).max() == 0  # no click where the sound is cut


@pytest.mark.parametrize("kind", ["mp3", "ogg", "m4a"])
def test_a_lossy_file_is_cut_at_the_wanted_second(tmp_path: Path, kind: str):
    steps = np.concatenate([tone(200, 6), tone(3000, 6)])
    path = made.write(tmp_path / f"steps.{kind}", np.stack([steps, steps]).T)
    heard = samples(cut_audio(path, 4.0, 4.0, ClipConfig()))[0]
    jumps = np.abs(np.diff(heard))
    assert jumps[: int(1.97 * RATE)].max() < 0.05 < 0.1 < jumps[int(2.03 * RATE) :].max()
    assert len(heard) == 4 * RATE


def test_the_default_is_where_the_report_listens(tmp_path: Path):
    from audioae.audio.excerpt import excerpt

    path = write(tmp_path / "long.wav", noise(120, 1))
    cut = cut_audio(path, None, 10.0, ClipConfig())
    assert cut.start_s == excerpt(path, None, ClipConfig()).start_s
    assert cut_audio(path, None, 60.0, ClipConfig()).start_s == 60.0  # earlier, so that 60 s fit


def test_the_end_of_a_track_cuts_the_cut(tmp_path: Path):
    path = write(tmp_path / "short.wav", noise(5, 1))
    cut = cut_audio(path, 4.0, 10.0, ClipConfig())
    assert (cut.start_s, cut.seconds) == (4.0, 1.0)
    assert np.abs(samples(cut)[:, -1]) > 0  # a track's own end is not faded
    with pytest.raises(AudioError, match=r"too_short: it ends at 5.00 s; ask for an earlier start than 5 s"):
        cut_audio(path, 5.0, 10.0, ClipConfig())


@pytest.mark.parametrize(("rate", "wanted"), [(96_000, 48_000), (4_000, 8_000), (22_050, 22_050)])
def test_rates_that_players_do_not_know_are_converted(tmp_path: Path, rate: int, wanted: int):
    sf.write(tmp_path / "a.wav", np.sin(np.arange(2 * rate) * 0.1), rate)
    waveform, heard = sf.read(io.BytesIO(cut_audio(tmp_path / "a.wav", 0.0, 1.0, ClipConfig()).content))
    assert (heard, len(waveform)) == (wanted, wanted)


def test_six_channels_become_one(tmp_path: Path):
    waveform = np.stack([tone(200 * (i + 1), 2) for i in range(6)])
    heard = samples(cut_audio(write(tmp_path / "six.wav", waveform), 0.0, 1.0, ClipConfig()))
    assert len(heard) == 1
    np.testing.assert_allclose(heard[0, :40_000], waveform.mean(axis=0)[:40_000], atol=1e-3)


def test_what_cannot_be_read_names_its_reason(tmp_path: Path):
    for content, reason in ((b"", "empty"), (b"no audio at all", "not_audio")):
        (tmp_path / "a.mp3").write_bytes(content)
        with pytest.raises(AudioError) as caught:
            cut_audio(tmp_path / "a.mp3", 0.0, 1.0, ClipConfig())
        assert caught.value.reason == reason
    with pytest.raises(AudioError, match="unreadable: No such file"):
        cut_audio(tmp_path / "gone.mp3", 0.0, 1.0, ClipConfig())
