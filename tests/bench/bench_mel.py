"""Log-mel of 64 clips on one core: librosa clip by clip against `log_mel`; torchaudio for comparison."""

import numpy as np
import torch
import torchaudio

from audioae.audio.librosa_modules import librosa
from audioae.audio.mel import log_mel
from audioae.constants import CLIP_SAMPLES
from tests.bench.harness import Row, interleave

N_CLIPS = 64


def measure() -> list[Row]:
    torch.set_num_threads(1)
    waveforms = np.random.default_rng(0).normal(0, 0.1, (N_CLIPS, CLIP_SAMPLES)).astype(np.float32)
    transform = torchaudio.transforms.MelSpectrogram(
        sample_rate=22050,
        n_fft=2048,
        win_length=2048,
        hop_length=512,
        f_min=0.0,
        f_max=11025.0,
        n_mels=128,
        power=2.0,
        center=True,
        pad_mode="constant",
        norm="slaney",
        mel_scale="slaney",
    )

    def librosa_per_clip() -> None:
        for waveform in waveforms:
            power = librosa.feature.melspectrogram(
                y=waveform, sr=22050, n_fft=2048, hop_length=512, pad_mode="constant", n_mels=128, fmax=11025.0
            )
            librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)

    def torchaudio_batch() -> torch.Tensor:
        return 10 * torch.log10(transform(torch.from_numpy(waveforms)).clamp_min(1e-10))

    seconds = interleave(
        {"librosa": librosa_per_clip, "log_mel": lambda: log_mel(waveforms), "torchaudio": torchaudio_batch}, rounds=7
    )
    timed = ", ".join(f"{name} {value / N_CLIPS * 1e3:.2f}" for name, value in seconds.items())
    note = f"ms per clip: {timed}; librosa / torchaudio {seconds['librosa'] / seconds['torchaudio']:.2f}"
    ratio = seconds["librosa"] / seconds["log_mel"]
    return [Row("log-mel on one core: librosa per clip / log_mel", ratio, 3.0, note=note)]
