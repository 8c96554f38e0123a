"""The user's decoders: TorchScript files from waveforms or from mels, and the vocoder WORLD."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from pydantic import ValidationError

from audioae.errors import ModelError
from audioae.screening.generated.check import files
from audioae.screening.generated.config import GeneratedConfig, MelInput, TorchscriptDecoder
from audioae.screening.generated.given_decoders import GivenDecoder, load_decoders, log_mel_magnitudes
from audioae.screening.generated.resynthesis import REAL, read_source, resynthesized_artifacts
from audioae.screening.generated.world import world

RATE = 44_100
MEL = MelInput(sample_rate=22_050, n_fft=1024, hop_length=256, n_mels=40)


class Vocoder(torch.nn.Module):
    """Noise with the level of each frame: what it returns depends on the mels and on nothing else."""

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        level = mels.exp().mean(dim=1, keepdim=True).repeat_interleave(256, dim=2)
        return level * torch.cos(2.0 * torch.arange(level.shape[2]))


class Coarse(torch.nn.Module):
    sample_rate: int

    def __init__(self, sample_rate: int):
        super().__init__()
        self.sample_rate = sample_rate

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return (8 * waveform).round() / 8


def saved(module: torch.nn.Module, path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    torch.jit.save(torch.jit.script(module), str(path))
    return str(path)


@pytest.fixture(scope="module")
def waveform() -> np.ndarray:
    t = np.arange(3 * RATE) / RATE
    return (0.3 * np.sin(2 * np.pi * 440 * t) * (t % 0.5 < 0.25)).astype(np.float32)


def test_mels_are_those_of_hifi_gan(waveform: np.ndarray):
    """The same by torch.stft, as its code computes them."""
    half = waveform[::2]
    padded = torch.nn.functional.pad(torch.from_numpy(half)[None, None], (384, 384), mode="reflect")[0]
    spectrum = torch.stft(padded, 1024, 256, window=torch.hann_window(1024), center=False, return_complex=True)[0].abs()
    from audioae.audio.librosa_modules import librosa

    bank = librosa.filters.mel(sr=22_050, n_fft=1024, n_mels=40, fmin=0, fmax=8000)
    expected = np.log(np.clip(bank @ spectrum.numpy(), 1e-5, None))
    mels = log_mel_magnitudes(half, MEL)
    assert mels.shape == (40, len(half) // 256)
    np.testing.assert_allclose(mels, expected, atol=2e-3)


def test_a_vocoder_from_mels_to_waveform(waveform: np.ndarray, tmp_path: Path):
    config = TorchscriptDecoder(path=saved(Vocoder(), tmp_path / "vocoder.pt"), mel=MEL)
    copy = GivenDecoder(config).rewrite(waveform, RATE)
    assert copy.shape == waveform.shape
    quarter = RATE // 4
    loud, quiet = (float(np.std(copy[start + 2000 : start + quarter - 2000])) for start in (0, quarter))
    assert loud > 20 * quiet


def test_a_codec_gets_its_own_rate(waveform: np.ndarray, tmp_path: Path):
    config = TorchscriptDecoder(path=saved(Coarse(RATE), tmp_path / "codec.pt"))
    copy = GivenDecoder(config).rewrite(waveform, RATE)
    assert set(np.unique(np.round(8 * copy, 4)).tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    slow = GivenDecoder(TorchscriptDecoder(path=saved(Coarse(8000), tmp_path / "slow.pt"))).rewrite(waveform, RATE)
    assert slow.shape == waveform.shape
    assert np.abs(np.fft.rfft(slow)[3 * 4100 :]).max() < 0.02 * np.abs(np.fft.rfft(slow)).max()


def test_a_rate_that_contradicts_the_mels_is_an_error(tmp_path: Path):
    config = TorchscriptDecoder(path=saved(Coarse(16_000), tmp_path / "v.pt"), mel=MEL)
    with pytest.raises(ModelError, match=r"is 16000, that of its mels 22050; set mel.sample_rate to 16000"):
        GivenDecoder(config)


def test_names_of_families(tmp_path: Path):
    a, b, c = (saved(Coarse(RATE), tmp_path / folder / "net.pt") for folder in "abc")
    other = saved(Coarse(RATE), tmp_path / "other.pt")
    given = GeneratedConfig.model_validate({"decoders": [a, b, other, {"name": "mine", "path": c}, {"kind": "world"}]})
    assert list(load_decoders(given.files)) == [f"given: {a}", f"given: {b}", "given: other", "given: mine"]
    assert files(given) == [a, b, other, c]
    assert given.vocoders == ("world",)
    twice = [TorchscriptDecoder(path=a, name="mine"), TorchscriptDecoder(path=b, name="mine")]
    with pytest.raises(ModelError, match=r"several are called 'mine'; give each its own name"):
        load_decoders(twice)


def test_configs():
    assert GeneratedConfig().vocoders == ()
    assert GeneratedConfig.model_validate({"decoders": ["a.pt"]}) == GeneratedConfig.model_validate(
        {"decoders": [{"kind": "torchscript", "path": "a.pt"}]}
    )
    again = json.loads(GeneratedConfig.model_validate({"decoders": ["a.pt", {"kind": "world"}]}).model_dump_json())
    assert GeneratedConfig.model_validate(again).vocoders == ("world",)
    with pytest.raises(ValidationError, match="onnx"):
        GeneratedConfig.model_validate({"decoders": [{"kind": "onnx", "path": "a.onnx"}]})


def test_world_is_a_family_of_its_own(waveform: np.ndarray, tmp_path: Path):
    pytest.importorskip("pyworld")
    part = waveform[: RATE // 2]
    copies = [world(part, RATE, np.random.default_rng(seed)) for seed in (1, 1)]
    assert np.array_equal(copies[0], copies[1])
    assert copies[0].shape == part.shape
    assert copies[0].dtype == np.float32
    assert np.std(copies[0]) == pytest.approx(np.std(part), rel=1e-3)
    assert np.corrcoef(copies[0], part)[0, 1] < 0.99
    sf.write(tmp_path / "tone.wav", waveform, RATE)
    rows = resynthesized_artifacts(read_source(tmp_path / "tone.wav", 3.0), ("world",), None, {}, ("original",), 0)
    assert [(family, version) for family, version, _ in rows] == [(REAL, "original"), ("world", "original")]
