"""The longest silence of a file is that of ffmpeg's silencedetect."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.extract import extract
from tests.bench.bench_silence import longest_silence_s


@pytest.mark.parametrize(("first_s", "last_s"), [(3.0, 4.25), (6.5, 8.0)])
def test_a_stretch_of_zeros(tmp_path: Path, first_s: float, last_s: float):
    rate = 44_100
    waveform = 0.1 * np.random.default_rng(0).standard_normal(8 * rate)
    waveform[round(first_s * rate) : round(last_s * rate)] = 0
    sf.write(tmp_path / "gap.wav", waveform, rate)
    ours = extract(tmp_path / "gap.wav", ClipConfig(), DecodeConfig()).health["zero_run_s"]
    assert ours == pytest.approx(last_s - first_s, abs=1e-3)
    assert longest_silence_s(tmp_path / "gap.wav") == pytest.approx(ours, abs=2e-3)
