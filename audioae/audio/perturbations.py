"""Changes that leave a recording the same recording: a later start, another codec, gain, filters, noise.

Conventions
-----------
- Planes are (channels, n) float32 at the file's sample rate. A perturbation changes rate or channels only if that is
  its purpose.
- Every version is written to a file and read back by `extract`, as a user's re-encoded copy would be.
- Perturbations without a codec are stored as float wav, in which +6 dB does not clip.
- Results are deterministic: the noise is seeded by the recording, so the same file gives the same versions.
- Encoders get at most two channels (more are mixed to one, by the mean) and a rate of `ENCODER_RATES` (the next higher
  one if the file has another).

Why only `ENCODER_RATES`: mp3 ends at 48 kHz, and libvorbis crashes the process at 384 kHz.
Why mp3 by av: libsndfile accepts a quality, not a bit rate.
Why LAME's fast search: encoding mp3 took half of the time of all versions, and this halves it. It changes the mels a
little more (a mean error of 5.1 dB per bin instead of 3.7, for music at 128 kb/s).
"""

import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np
import scipy.fft
import soundfile as sf
import soxr

from audioae.audio.blame import blame_file
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.extract import Extracted, extract
from audioae.audio.integrity import Container
from audioae.audio.reader import BLOCK, Reader
from audioae.audio.readers import read_file
from audioae.errors import AudioError

ENCODER_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
ORIGINAL = "original"

Planes = np.ndarray


def _unchanged(planes: Planes, rate: int) -> tuple[Planes, int]:
    return planes, rate


@dataclass(frozen=True)
class Perturbation:
    """One change of a recording.

    Parameters
    ----------
    name, group, what : str
        Short name, kind ("shift", "codec", "gain", "resampling", "channels", "eq", "noise"), one sentence.
    change : callable
        From (planes, sample_rate) to the changed (planes, sample_rate).
    codec, bit_rate : str, int
        Storage format: "wav", "vorbis" (default quality), or "mp3" and "aac" with bits per second.
    """

    name: str
    group: str
    what: str
    change: Callable[[Planes, int], tuple[Planes, int]] = _unchanged
    codec: str = "wav"
    bit_rate: int = 0


def _shifted(planes: Planes, rate: int, seconds: float) -> tuple[Planes, int]:
    return planes[:, round(seconds * rate) :], rate


def _louder(planes: Planes, rate: int, gain_db: float) -> tuple[Planes, int]:
    return planes * np.float32(10 ** (gain_db / 20)), rate


def _resampled(planes: Planes, rate: int, new_rate: int) -> tuple[Planes, int]:
    return np.ascontiguousarray(soxr.resample(planes.T, rate, new_rate, quality="HQ").T), new_rate


def _at_studio_rate(planes: Planes, rate: int) -> tuple[Planes, int]:
    return _resampled(planes, rate, 44_100 if rate == 48_000 else 48_000)


def _other_channels(planes: Planes, rate: int) -> tuple[Planes, int]:
    return (np.repeat(planes, 2, axis=0) if len(planes) == 1 else planes.mean(axis=0, keepdims=True)), rate


def _tilted(planes: Planes, rate: int, tilt_db: float) -> tuple[Planes, int]:
    """Filter by -tilt_db at 50 Hz, 0 at 1 kHz and +tilt_db at 20 kHz, linear in octaves between them; no delay."""
    wanted = planes.shape[1] + rate  # a second of zeros, so that the filter does not wrap around the end
    n: int = scipy.fft.next_fast_len(wanted, real=True)  # pyright: ignore[reportAssignmentType]
    octaves = np.log2(np.maximum(np.fft.rfftfreq(n, 1 / rate), 1.0) / 1000) / np.log2(20)
    gains = (10 ** (tilt_db * octaves.clip(-1, 1) / 20)).astype(np.float32)
    tilted = np.asarray(scipy.fft.irfft(np.asarray(scipy.fft.rfft(planes, n)) * gains, n))
    return tilted[:, : planes.shape[1]], rate


def _noisy(planes: Planes, rate: int, snr_db: float) -> tuple[Planes, int]:
    """Add white noise, the same to every channel, `snr_db` below the mean power of the channels."""
    rng = np.random.default_rng(zlib.crc32(planes[0].tobytes()))
    level = np.sqrt(np.mean(np.square(planes, dtype=np.float64))) * 10 ** (-snr_db / 20)
    return planes + np.float32(level) * rng.standard_normal(planes.shape[1], np.float32), rate


PERTURBATIONS: tuple[Perturbation, ...] = (
    *(
        Perturbation(
            f"shift {ms:,} ms", "shift", f"the first {ms:,} ms are removed", partial(_shifted, seconds=ms / 1000)
        )
        for ms in (150, 400, 1200)
    ),
    Perturbation("mp3 128 kb/s", "codec", "encoded as mp3 at 128 kb/s", codec="mp3", bit_rate=128_000),
    Perturbation("mp3 64 kb/s", "codec", "encoded as mp3 at 64 kb/s", codec="mp3", bit_rate=64_000),
    Perturbation("aac 96 kb/s", "codec", "encoded as AAC in m4a at 96 kb/s", codec="aac", bit_rate=96_000),
    Perturbation("ogg vorbis", "codec", "encoded as Ogg Vorbis at libsndfile's quality", codec="vorbis"),
    Perturbation("gain +6 dB", "gain", "6 dB louder, without clipping", partial(_louder, gain_db=6.0)),
    Perturbation("gain -6 dB", "gain", "6 dB quieter", partial(_louder, gain_db=-6.0)),
    Perturbation("16 kHz", "resampling", "stored at 16 kHz", partial(_resampled, new_rate=16_000)),
    Perturbation("48 kHz", "resampling", "stored at 48 kHz, or at 44.1 kHz if it was at 48 kHz", _at_studio_rate),
    Perturbation(
        "mono / stereo", "channels", "mixed to mono; a mono file is stored as two equal channels", _other_channels
    ),
    Perturbation("eq bright", "eq", "tilted: -6 dB at 50 Hz to +6 dB at 20 kHz", partial(_tilted, tilt_db=6.0)),
    Perturbation("eq dark", "eq", "tilted: +6 dB at 50 Hz to -6 dB at 20 kHz", partial(_tilted, tilt_db=-6.0)),
    Perturbation("noise 30 dB", "noise", "white noise 30 dB below the recording", partial(_noisy, snr_db=30.0)),
    Perturbation("noise 20 dB", "noise", "white noise 20 dB below the recording", partial(_noisy, snr_db=20.0)),
)


def read_whole(path: str | Path) -> tuple[Planes, int]:
    """Read a whole file at its sample rate: planes (channels, n) float32, and samples per second.

    Raises
    ------
    AudioError
        As `decode.decode_track`; "unreadable" or "empty" if there is nothing to read.
    """
    return read_file(path, _read_planes)


def _read_planes(reader: Reader, _: Container) -> tuple[Planes, int]:
    planes = [block.copy() for block in reader.blocks(0, reader.n_frames)]
    if not planes:
        raise AudioError("empty", f"no samples ({reader.codec}); download or copy the file again")
    return np.concatenate(planes, axis=1), reader.sample_rate


def write_version(planes: Planes, sample_rate: int, perturbation: Perturbation, folder: Path) -> Path:
    """Write the perturbed recording into `folder` and return the file's path.

    Parameters
    ----------
    planes : np.ndarray, shape (channels, n), float32
    sample_rate : int
    perturbation : Perturbation
    folder : Path

    Raises
    ------
    AudioError
        "too_short" if the perturbation leaves no samples.
    """
    changed, rate = perturbation.change(planes, sample_rate)
    if not changed.shape[1]:
        raise AudioError(
            "too_short", f"{planes.shape[1] / sample_rate:.2f} s, nothing is left after {perturbation.name}"
        )
    if perturbation.codec != "wav":
        changed, rate = _encodable(changed, rate)
    if perturbation.codec in ("mp3", "aac"):
        path = folder / ("version.mp3" if perturbation.codec == "mp3" else "version.m4a")
        _encode(path, changed, rate, perturbation.codec, perturbation.bit_rate)
        return path
    container, subtype = ("OGG", "VORBIS") if perturbation.codec == "vorbis" else ("WAV", "FLOAT")
    path = folder / f"version.{container.lower()}"
    with sf.SoundFile(path, "w", rate, len(changed), subtype, format=container) as file:
        for start in range(0, changed.shape[1], BLOCK):  # libsndfile's Vorbis encoder crashes on long blocks
            file.write(np.ascontiguousarray(changed[:, start : start + BLOCK].T))
    return path


@blame_file
def extract_versions(
    path: str | Path, folder: str | Path, clip_config: ClipConfig, decode_config: DecodeConfig
) -> dict[str, Extracted | AudioError]:
    """Extract a file (as `ORIGINAL`) and its perturbed versions (by name): a function for `audio.workers`.

    Parameters
    ----------
    path : str or Path
        An audio file.
    folder : str or Path
        For temporary files; the versions are written one at a time.
    clip_config, decode_config : ClipConfig, DecodeConfig
        As for `extract`.

    Returns
    -------
    versions : dict of str to Extracted or AudioError
        The error of a version that cannot be used, such as a short track after a shift.

    Raises
    ------
    AudioError
        If the file itself cannot be used.
    """
    versions: dict[str, Extracted | AudioError] = {ORIGINAL: extract(path, clip_config, decode_config)}
    planes, sample_rate = read_whole(path)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for perturbation in PERTURBATIONS:
            try:
                version = write_version(planes, sample_rate, perturbation, Path(place))
                versions[perturbation.name] = extract(version, clip_config, decode_config)
            except AudioError as error:
                versions[perturbation.name] = error
    return versions


def _encodable(planes: Planes, rate: int) -> tuple[Planes, int]:
    if len(planes) > 2:
        planes = planes.mean(axis=0, keepdims=True)
    if rate in ENCODER_RATES:
        return planes, rate
    return _resampled(planes, rate, next((r for r in ENCODER_RATES if r > rate), ENCODER_RATES[-1]))


def _encode(path: Path, planes: Planes, rate: int, codec: str, bit_rate: int) -> None:
    layout = "stereo" if len(planes) == 2 else "mono"
    with av.open(str(path), "w", format="mp3" if codec == "mp3" else "ipod") as output:
        name, options = ("libmp3lame", {"compression_level": "7"}) if codec == "mp3" else ("aac", {})
        stream = output.add_stream(name, rate=rate, layout=layout, options=options)
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes, np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0  # with a timestamp, the muxer records the encoder's delay
        for source in (frame, None):
            output.mux(stream.encode(source))
