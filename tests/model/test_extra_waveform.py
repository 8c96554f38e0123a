"""A network of waveforms: its vectors against NumPy on decoded audio, and errors that say what is wrong with it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from torch import Tensor, nn

from audioae.audio.config import ClipConfig, DecodeConfig, WindowConfig
from audioae.audio.decode import decode_track
from audioae.config import parse_config
from audioae.errors import ConfigError, ModelError
from audioae.model.extra import Extra, Fusion
from audioae.model.extra_config import ExtraConfig
from audioae.model.extra_waveform import WaveformNetwork
from tests.audio.made import music, write
from tests.model.made_networks import Energies, band_energies, onnx_energies, torchscript

WINDOW = WindowConfig(sample_rate=16_000)
KINDS = {"onnx": onnx_energies(), "torchscript": torchscript(Energies()), "pooled": torchscript(Energies(pooled=True))}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("music") / "a.flac", music(9.0))


@pytest.mark.parametrize("name", KINDS)
def test_a_vector_is_what_numpy_computes_from_the_file(name: str, path: Path):
    network = WaveformNetwork("onnx" if name == "onnx" else "torchscript", KINDS[name], name, WINDOW)
    decoded = decode_track(path, ClipConfig(), DecodeConfig(), window=WINDOW)
    assert isinstance(decoded.windows, np.ndarray)
    vector = network.vector(decoded.windows)
    samples, rate = soundfile.read(path, dtype="float32")
    whole = soxr.resample(samples.mean(axis=1), rate, 16_000)
    starts = [0, 19_200, 48_000, 76_800, 96_000]  # five clips, in the middle of 1.8 s each
    wanted = band_energies(np.stack([whole[start : start + 48_000] for start in starts]))
    np.testing.assert_allclose(vector, wanted.mean(axis=(0, 1)), atol=1e-3)
    assert wanted.mean(axis=(0, 1)).std() > 1, "the bands differ"
    alone = np.mean([network.vector(window[None]) for window in decoded.windows], axis=0)
    np.testing.assert_allclose(vector, alone, atol=1e-5)
    np.testing.assert_array_equal(vector, network.vector(decoded.windows))
    assert network.check() == 16


class Wrong(nn.Module):
    def __init__(self, how: str):
        super().__init__()
        self.how = how

    def forward(self, waveforms: Tensor) -> Tensor:
        if self.how == "rank":
            return waveforms.mean(dim=1)
        if self.how == "batch":
            return waveforms.reshape(-1, 100)
        if self.how == "nan":
            return (waveforms - 9).log()[:, :10]
        return waveforms.reshape(-1, 32_000)


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        (
            "rank",
            r"got \(1,\) for a waveform of shape \(1, 48000\), wanted \(1, d\) or \(1, t, d\) with d",
        ),
        ("batch", r"got \(480, 100\) for a waveform"),
        ("nan", "10 of 10 numbers are NaN or infinite"),
        ("rate", r"waveforms of 3 s at 16,000 Hz \(1, 48000\) float32 give an error: .*invalid for input of size"),
    ],
)
def test_wrong_outputs_are_errors(how: str, problem: str):
    network = WaveformNetwork("torchscript", torchscript(Wrong(how)), "net", WINDOW)
    with pytest.raises(ModelError, match=f"extra net: {problem}"):
        network.check()


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        (
            (16, "s"),
            r"it takes \(16, 'any'\), batches of one size only; export it with a dynamic first axis",
        ),
        (("n", 160_000), r"it takes \('any', 160000\), but 3 s at 16,000 Hz are 48,000 samples; set seconds: 10, or"),
    ],
)
def test_inputs_that_do_not_fit_are_errors_when_the_file_is_loaded(shape: tuple, problem: str):
    with pytest.raises(ModelError, match=f"extra net: {problem}"):
        WaveformNetwork("onnx", onnx_energies(*shape), "net", WINDOW)
    assert WaveformNetwork("onnx", onnx_energies(1, 48_000), "net", WINDOW).check() == 16, "a batch of 1 will do"


def test_a_network_of_mels_is_no_network_of_waveforms():
    from tests.model.made_networks import onnx_bands

    with pytest.raises(ModelError, match=r"it takes \(16, 128, 130\), wanted \(n, samples\): mono waveforms"):
        WaveformNetwork("onnx", onnx_bands(), "net", WINDOW)


def test_settings_say_what_the_network_takes(tmp_path: Path):
    (tmp_path / "net.onnx").write_bytes(b"x")
    settings = {"kind": "onnx", "path": str(tmp_path / "net.onnx")}
    for wrong, problem in (
        ({"input": "waveform"}, "input waveform needs sample_rate, the rate that the network was trained at"),
        ({"sample_rate": 16_000}, "sample_rate and seconds are of waveforms; wanted input: waveform"),
        (
            {"input": "waveform", "sample_rate": 16},
            "sample_rate: got 16; Input should be greater than or equal",
        ),
        ({"input": "spectrum"}, "input: got 'spectrum'; Input should be 'mel' or 'waveform'"),
    ):
        with pytest.raises(ConfigError, match=problem):
            parse_config(ExtraConfig, {**settings, **wrong}, where="test")
    config = parse_config(ExtraConfig, {**settings, "input": "waveform", "sample_rate": 48_000}, where="test")
    assert config.window == WindowConfig(sample_rate=48_000, seconds=3.0)
    assert WindowConfig(sample_rate=48_000).n_samples == 144_000


def test_a_projection_fitted_to_few_tracks_keeps_the_embeddings_of_others():
    rng = np.random.default_rng(0)
    own, vectors = rng.normal(size=(20, 128)).astype(np.float32), rng.normal(size=(20, 300)).astype(np.float32)
    new = rng.normal(size=(50, 128)).astype(np.float32)

    def kept(fusion: Fusion) -> float:
        return float(np.square(new @ fusion.own.numpy()).sum() / np.square(new).sum())

    with_ridge, without = Fusion.fit(own, vectors, 1.0, ridge=1e-9), Fusion.fit(own, vectors, 1.0)
    assert kept(with_ridge) > 0.9 > 0.6 > kept(without)
    for fusion in (with_ridge, without):  # of the tracks themselves, nothing is lost
        centered, extra = own - own.mean(axis=0), vectors - vectors.mean(axis=0)
        scale = np.sqrt(np.square(centered).sum() / np.square(extra).sum())
        fused = centered @ fusion.own.numpy() + extra @ fusion.extra.numpy()
        wanted = centered @ centered.T + np.square(scale) * (extra @ extra.T)
        np.testing.assert_allclose(fused @ fused.T, wanted, atol=0.02)


def test_what_is_added_to_tracks_is_their_projected_vector():
    rng = np.random.default_rng(0)
    own, vectors = rng.normal(size=(40, 128)).astype(np.float32), rng.normal(size=(40, 30)).astype(np.float32)
    fusion = Fusion.fit(own, vectors, 1.0)
    extra = Extra(None, fusion)
    parts = extra.part_of_tracks([vectors[0], None, vectors[2]])
    np.testing.assert_allclose(parts[0], (vectors[0] - vectors.mean(axis=0)) @ fusion.extra.numpy(), atol=1e-4)
    assert not parts[1].any()
    np.testing.assert_array_equal(extra.part_of_tracks([vectors[2]])[0], parts[2])
    assert not extra.part(np.zeros((3, 128, 130), np.uint8)).any()
    with pytest.raises(ModelError, match="got 4 numbers per track, wanted 30; embed again"):
        extra.part_of_tracks([np.zeros(4, np.float32)])
