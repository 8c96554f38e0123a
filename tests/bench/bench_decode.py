"""Decoding on one core: the overhead of the stage over the decoder alone, and the time that windows save.

"Decoder alone" is `soundfile.read` of the whole file. The stage also mixes, resamples, checks the file's structure and
measures its health; the notes give the share of each in the stage's time.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile as sf
import soxr

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.extract import extract
from audioae.audio.health import HealthMeter
from audioae.audio.integrity import inspect
from audioae.audio.librosa_modules import librosa
from audioae.constants import HOP_LENGTH, N_FFT, N_MELS, SAMPLE_RATE
from tests.audio.made import music, write
from tests.bench.harness import Row, interleave

CLIPS, DECODE, WHOLE = ClipConfig(max_clips=8), DecodeConfig(), DecodeConfig(whole_up_to_s=1e9)
ROUNDS = 9
BARS = {"flac": 0.80, "ogg": 0.80, "mp3": 0.80, "wav": 0.55}


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        short, long = _music_like(30), _music_like(180)
        rows = [_row_of(write(Path(folder) / f"30.{kind}", short), bar) for kind, bar in BARS.items()]
        rows += _m4a_row(write(Path(folder) / "30.m4a", short))
        rows += _long_rows(write(Path(folder) / "180.mp3", long))
    return rows


def _music_like(seconds: float) -> np.ndarray:
    """Notes, noise of drums up to half the sample rate, and different channels."""
    noise = np.random.default_rng(0).standard_normal((round(seconds * 44_100), 2)).astype(np.float32)
    bursts = np.exp(-(np.arange(len(noise)) % 22_050) / 3000.0).astype(np.float32)[:, None]
    return music(seconds) + noise * (0.01 + 0.1 * bursts)


def _row_of(path: Path, bar: float) -> Row:
    seconds = interleave(
        {"alone": lambda: sf.read(path, dtype="float32"), "stage": lambda: decode_track(path, CLIPS, DECODE)}, ROUNDS
    )
    return Row(
        f"decode {path.suffix[1:]}, 30 s: soundfile alone / stage",
        seconds["alone"] / seconds["stage"],
        bar,
        note=f"{1e3 * seconds['stage']:.0f} ms; {_shares(path, seconds['stage'])}",
    )


def _shares(path: Path, stage_s: float) -> str:
    """The share of each part in the stage's time; a part is timed alone on the same amount of audio."""
    samples, rate = sf.read(path, dtype="float32")
    n_read = round(decode_track(path, CLIPS, DECODE).health["examined_s"] * rate)
    planes = np.ascontiguousarray(samples[:n_read].T)
    mono = planes.mean(axis=0)
    content = path.read_bytes()
    eighth = mono[: n_read // 8]

    def health() -> None:
        meter = HealthMeter(rate, 2)
        for at in range(0, n_read, 65_536):
            meter.add(planes[:, at : at + 65_536], mono[at : at + 65_536], at)
        meter.columns()

    parts = {
        "resampling": lambda: [soxr.resample(eighth, rate, SAMPLE_RATE, quality="HQ") for _ in range(8)],
        "health": health,
        "structure": lambda: inspect(content),
        "planes and mix": lambda: np.add(*np.ascontiguousarray(samples[:n_read].T)),
    }
    return ", ".join(f"{name} {_time(run) / stage_s:.0%}" for name, run in parts.items())


def _m4a_row(path: Path) -> list[Row]:
    """librosa reads m4a through the program ffmpeg; without it there is no comparison."""
    try:
        librosa.load(path, sr=SAMPLE_RATE)
    except Exception:  # noqa: BLE001  whatever audioread raises without a backend
        print("decode m4a: not measured, because librosa needs the program ffmpeg")
        return []
    subjects = {
        "librosa": lambda: librosa.load(path, sr=SAMPLE_RATE),
        "stage": lambda: decode_track(path, CLIPS, DECODE),
    }
    seconds = interleave(subjects, ROUNDS)
    return [Row("decode m4a, 30 s: librosa.load / stage", seconds["librosa"] / seconds["stage"], 4.0)]


def _long_rows(path: Path) -> list[Row]:
    def obvious() -> None:
        waveform, _ = librosa.load(path, sr=SAMPLE_RATE)
        power = librosa.feature.melspectrogram(
            y=waveform, sr=SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS
        )
        librosa.power_to_db(power)

    seconds = interleave(
        {
            "whole": lambda: decode_track(path, CLIPS, WHOLE),
            "windows": lambda: decode_track(path, CLIPS, DECODE),
            "obvious": obvious,
            "extract": lambda: extract(path, CLIPS, DECODE),
        },
        ROUNDS,
    )
    difference = np.abs(decode_track(path, CLIPS, WHOLE).clips - decode_track(path, CLIPS, DECODE).clips).max()
    return [
        Row(
            "decode mp3, 3 min: whole file / windows",
            seconds["whole"] / seconds["windows"],
            3.5,
            note=f"{1e3 * seconds['windows']:.0f} ms; lag 0, clips differ by {difference:.0e} at most",
        ),
        Row(
            "8 clips to mels, mp3 of 3 min: librosa / stage",
            seconds["obvious"] / seconds["extract"],
            5.0,
            note=f"{1e3 * seconds['extract']:.0f} ms; librosa.load of the whole file and its mel: "
            f"{1e3 * seconds['obvious']:.0f} ms",
        ),
    ]


def _time(run: Callable[[], Any]) -> float:
    run()
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return median(seconds)
