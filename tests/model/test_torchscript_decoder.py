"""A user's TorchScript decoder: good modules, damaged files and wrong modules."""

from pathlib import Path

import numpy as np
import pytest
import torch

from audioae.errors import ModelError
from audioae.model.torchscript_decoder import WaveformDecoder


class Halved(torch.nn.Module):
    sample_rate: int

    def __init__(self):
        super().__init__()
        self.sample_rate = 32_000

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return 0.5 * waveform[:, :, :-3]


class Text(torch.nn.Module):
    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return waveform.mean(dim=2)


class Stereo(torch.nn.Module):
    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return left + right


class Vocoder(torch.nn.Module):
    """A hop of four samples per frame: the mean of its bands."""

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        return mels.mean(dim=1, keepdim=True).repeat_interleave(4, dim=2)


def saved(module: torch.nn.Module, path: Path) -> Path:
    torch.jit.save(torch.jit.script(module), str(path))
    return path


def test_a_module_resynthesizes_a_waveform_of_the_same_length(tmp_path: Path):
    decoder = WaveformDecoder(saved(Halved(), tmp_path / "halved.pt"))
    waveform = np.linspace(-1, 1, 100, dtype=np.float32)
    output = decoder.decode(waveform, 100)
    assert decoder.sample_rate == 32_000
    assert output[:97] == pytest.approx(waveform[:97] / 2)
    assert output[97:].tolist() == [0, 0, 0]


def test_a_vocoder_gets_mels(tmp_path: Path):
    decoder = WaveformDecoder(saved(Vocoder(), tmp_path / "vocoder.pt"))
    mels = np.tile(np.arange(25, dtype=np.float32), (80, 1))
    assert decoder.decode(mels, 98) == pytest.approx(np.arange(25).repeat(4)[:98])
    with pytest.raises(
        ModelError, match=r"returned \(1, 1, 100\), wanted about \(1, 1, 200\) .* mels of shape \(1, 80, 25\)"
    ):
        decoder.decode(mels, 200)


def test_missing_and_damaged_files_are_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"gone.pt: no such file; wanted a TorchScript module"):
        WaveformDecoder(tmp_path / "gone.pt")
    (tmp_path / "junk.pt").write_bytes(b"junk" * 100)
    with pytest.raises(ModelError, match=r"junk.pt: not a TorchScript module, or damaged"):
        WaveformDecoder(tmp_path / "junk.pt")
    whole = saved(Halved(), tmp_path / "halved.pt").read_bytes()
    (tmp_path / "half.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"half.pt: not a TorchScript module, or damaged"):
        WaveformDecoder(tmp_path / "half.pt")


def test_modules_with_another_input_or_output_are_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"returned \(1, 1\), wanted about \(1, 1, 100\)"):
        WaveformDecoder(saved(Text(), tmp_path / "text.pt")).decode(np.zeros(100, np.float32), 100)
    with pytest.raises(ModelError, match=r"failed on a waveform of shape \(1, 1, 100\)"):
        WaveformDecoder(saved(Stereo(), tmp_path / "stereo.pt")).decode(np.zeros(100, np.float32), 100)
