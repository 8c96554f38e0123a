"""Real excerpts and their resynthesized copies, each as it is and after mp3, resampling or noise.

Conventions
-----------
- A real excerpt is processed exactly like its copies: the same versions, the same sections. A difference that remains
  is therefore due to the decoder, and not to a codec or to the length.
- Functions for workers take and return plain arrays. Randomness is seeded by the recording.
"""

import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soxr

from audioae.audio.blame import blame_file
from audioae.audio.griffin_lim import mel_waveform
from audioae.audio.mel import encode_mel, log_mel
from audioae.audio.perturbations import ORIGINAL, PERTURBATIONS, Perturbation, read_whole, write_version
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.errors import AudioError
from audioae.screening.generated.artifacts import SECTION_S, read_sections, waveform_artifacts
from audioae.screening.generated.vocoders import FAMILIES
from audioae.screening.generated.world import world

REAL = "real"
_VOCODERS = {**FAMILIES, "world": world}


def _resampled_and_back(planes: np.ndarray, rate: int, other: int) -> tuple[np.ndarray, int]:
    resampled = soxr.resample(planes.T, rate, other, quality="HQ")
    return np.ascontiguousarray(soxr.resample(resampled, other, rate, quality="HQ").T), rate


VERSIONS: dict[str, Perturbation] = {
    version.name: version
    for version in (
        *(p for p in PERTURBATIONS if p.group == "codec" or p.name == "noise 30 dB"),
        Perturbation(
            "16 kHz and back", "resampling", "resampled to 16 kHz and back", partial(_resampled_and_back, other=16_000)
        ),
        Perturbation(
            "48 kHz and back", "resampling", "resampled to 48 kHz and back", partial(_resampled_and_back, other=48_000)
        ),
    )
}


@dataclass(frozen=True)
class SourceAudio:
    """The middle of a recording: mono waveform (n,) at `sample_rate`, and its mel codes (n_clips, 128, 130)."""

    waveform: np.ndarray
    sample_rate: int
    codes: np.ndarray


@blame_file
def read_source(path: str | Path, seconds: float) -> SourceAudio:
    """The middle `seconds` of a file, or 3 s if it is shorter.

    Raises
    ------
    AudioError
        If the file cannot be read, or is shorter than 3 s.
    """
    for length in (seconds, SECTION_S):
        sections, sample_rate = read_sections(path, length, 1)
        if sections:
            at_mel_rate = soxr.resample(sections[0], sample_rate, SAMPLE_RATE, quality="HQ")
            n = len(at_mel_rate) // CLIP_SAMPLES
            clips = at_mel_rate[: n * CLIP_SAMPLES] if n else np.resize(at_mel_rate, CLIP_SAMPLES)
            return SourceAudio(sections[0], sample_rate, encode_mel(log_mel(clips.reshape(-1, CLIP_SAMPLES)))[0])
    raise AudioError("too_short", f"wanted at least {SECTION_S:g} s to resynthesize")


def at_rate(waveform: np.ndarray, sample_rate: int, new_rate: int, n: int | None = None) -> np.ndarray:
    """A waveform at another sample rate, cut or zero-padded to n samples if n is given."""
    resampled = soxr.resample(waveform, sample_rate, new_rate, quality="HQ").astype(np.float32)
    return resampled if n is None else np.pad(resampled, (0, max(n - len(resampled), 0)))[:n]


def resynthesized_artifacts(
    excerpt: SourceAudio,
    families: Sequence[str],
    mels: np.ndarray | None,
    given: Mapping[str, np.ndarray],
    versions: Sequence[str],
    seed: int,
) -> list[tuple[str, str, np.ndarray]]:
    """Decoder artifacts of an excerpt and of its resynthesized copies, in each version. Runs in worker processes.

    Parameters
    ----------
    excerpt : SourceAudio
    families : sequence of str
        Names of `vocoders.FAMILIES`, or "world".
    mels : np.ndarray, shape (n_clips, 128, 130), optional
        The model's reconstruction of the codes, in dB; becomes family "own_decoder".
    given : mapping of family to np.ndarray, shape (n,)
        Copies made elsewhere, at the excerpt's rate.
    versions : sequence of str
        Names of `VERSIONS`, or `ORIGINAL`.
    seed : int

    Returns
    -------
    rows : list of (family, version, artifacts)
        The excerpt itself is family `REAL`.
    """
    waveform, rate = excerpt.waveform, excerpt.sample_rate
    seeds = [seed, zlib.crc32(waveform.tobytes())]
    copies = {REAL: waveform, **given}
    for family in families:
        copies[family] = _VOCODERS[family](waveform, rate, np.random.default_rng(seeds))
    if mels is not None:
        decoded = np.concatenate([mel_waveform(mel) for mel in mels])
        copies["own_decoder"] = at_rate(decoded, SAMPLE_RATE, rate, len(waveform))
    return [
        (family, version, waveform_artifacts(*_sections(*_version(copy, rate, version))))
        for family, copy in copies.items()
        for version in versions
    ]


def _version(waveform: np.ndarray, rate: int, name: str) -> tuple[np.ndarray, int]:
    if name == ORIGINAL:
        return waveform, rate
    with tempfile.TemporaryDirectory() as folder:
        planes, rate = read_whole(write_version(waveform[None].astype(np.float32), rate, VERSIONS[name], Path(folder)))
    return planes.mean(axis=0), rate


def _sections(waveform: np.ndarray, rate: int) -> tuple[list[np.ndarray], int]:
    n = round(SECTION_S * rate)
    return [waveform[start : start + n] for start in range(0, len(waveform) - n + 1, n)], rate
