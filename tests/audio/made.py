"""Synthesized audio for the tests: a known signal in every format."""

from pathlib import Path

import av
import numpy as np
import soundfile as sf

SOUNDFILE_FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "aiff": ("AIFF", "PCM_16"),
}
FORMATS = (*SOUNDFILE_FORMATS, "m4a", "aac")
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 6: "5.1", 8: "7.1"}


def music(seconds: float, sample_rate: int = 44_100, channels: int = 2, seed: int = 0) -> np.ndarray:
    """Plucked notes, (n, channels) float32 in [-0.7, 0.7], below 5 kHz, so that every format preserves them."""
    rng = np.random.default_rng(seed)
    n = round(seconds * sample_rate)
    waveform = np.zeros(n)
    for start in np.arange(0, n, sample_rate // 4):
        t = np.arange(min(sample_rate // 2, n - start)) / sample_rate
        pitch = 110 * 2 ** (rng.integers(0, 24) / 12)
        note = (
            sum(np.sin(2 * np.pi * pitch * h * t) / h for h in range(1, 7)) * np.minimum(t / 0.005, 1) * np.exp(-6 * t)
        )
        waveform[start : start + len(t)] += note
    waveform *= 0.6 / max(np.abs(waveform).max(), 1e-9)
    gains = np.linspace(1.0, 0.8, channels)
    return (waveform[:, None] * gains).astype(np.float32)


def write(path: Path, samples: np.ndarray, sample_rate: int = 44_100, kind: str | None = None) -> Path:
    """Write (n, channels) float32 in the format `kind`; default: the extension."""
    kind = kind or path.suffix[1:]
    if kind in ("m4a", "aac"):
        return _write_aac(path, samples, sample_rate, "adts" if kind == "aac" else "ipod")
    container, subtype = SOUNDFILE_FORMATS[kind]
    with sf.SoundFile(path, "w", sample_rate, samples.shape[1], format=container, subtype=subtype) as file:
        for block in np.split(samples, range(sample_rate, len(samples), sample_rate)):
            file.write(block)
    return path


def _write_aac(path: Path, samples: np.ndarray, sample_rate: int, container: str) -> Path:
    """Encode without noise substitution, whose noise differs after a seek, so that samples can be compared."""
    with av.open(str(path), "w", format=container) as output:
        layout = LAYOUTS[samples.shape[1]]
        stream = output.add_stream("aac", rate=sample_rate, layout=layout, options={"aac_pns": "0"})
        stream.bit_rate = 96_000 * samples.shape[1]
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32).reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = sample_rate, 0  # with a timestamp, the muxer records the encoder's delay
        for packet in (*stream.encode(frame), *stream.encode(None)):
            output.mux(packet)
    return path


def damage(path: Path, start: float, n_bytes: int, seed: int = 1) -> None:
    """Overwrite `n_bytes` with random ones, beginning at the share `start` of the file."""
    content = bytearray(path.read_bytes())
    position = int(len(content) * start)
    content[position : position + n_bytes] = np.random.default_rng(seed).bytes(n_bytes)
    path.write_bytes(bytes(content))


def truncate(path: Path, share: float) -> None:
    """Keep the first `share` of a file's bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
