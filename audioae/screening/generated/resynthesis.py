"""Excerpts of real recordings, made again by decoders, and what is left of that after mp3, resampling or noise.

Conventions
-----------
- What is real goes the same way as what was re-made: the same excerpt, the same versions, the same sections. A
  difference that is left then comes from the decoder, and neither from a codec nor from the length.
- Functions for workers take and give plain arrays. Chance is seeded by the recording.
"""

import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soxr

from audioae.audio.griffin_lim import mel_waveform
from audioae.audio.mel import encode_mel, log_mel
from audioae.audio.perturbations import ORIGINAL, PERTURBATIONS, Perturbation, read_whole, write_version
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.errors import AudioError
from audioae.screening.generated.artifacts import SECTION_S, read_sections, waveform_artifacts
from audioae.screening.generated.vocoders import FAMILIES

REAL = "real"


def _there_and_back(planes: np.ndarray, rate: int, other: int) -> tuple[np.ndarray, int]:
    away = soxr.resample(planes.T, rate, other, quality="HQ")
    return np.ascontiguousarray(soxr.resample(away, other, rate, quality="HQ").T), rate


VERSIONS: dict[str, Perturbation] = {
    version.name: version
    for version in (
        *(p for p in PERTURBATIONS if p.group == "codec" or p.name == "noise 30 dB"),
        Perturbation(
            "16 kHz and back", "resampling", "resampled to 16 kHz and back", partial(_there_and_back, other=16_000)
        ),
        Perturbation(
            "48 kHz and back", "resampling", "resampled to 48 kHz and back", partial(_there_and_back, other=48_000)
        ),
    )
}


@dataclass(frozen=True)
class SourceAudio:
    """The middle of a recording: mono waveform (n,) at `sample_rate`, and mel codes (n_clips, 128, 130) of it."""

    waveform: np.ndarray
    sample_rate: int
    codes: np.ndarray


def read_source(path: str | Path, seconds: float) -> SourceAudio:
    """The middle `seconds` of a file, or 3 s where it is shorter.

    Raises
    ------
    AudioError
        If it cannot be read, or is shorter than 3 s.
    """
    for length in (seconds, SECTION_S):
        sections, sample_rate = read_sections(path, length, 1)
        if sections:
            at_mels = soxr.resample(sections[0], sample_rate, SAMPLE_RATE, quality="HQ")
            n = len(at_mels) // CLIP_SAMPLES
            clips = at_mels[: n * CLIP_SAMPLES] if n else np.resize(at_mels, CLIP_SAMPLES)
            return SourceAudio(sections[0], sample_rate, encode_mel(log_mel(clips.reshape(-1, CLIP_SAMPLES)))[0])
    raise AudioError("too_short", f"wanted {SECTION_S:g} s or more, to make it again")


def at_rate(waveform: np.ndarray, sample_rate: int, wanted: int, n: int | None = None) -> np.ndarray:
    """A waveform at another rate, cut or filled with zeros to n samples if that is given."""
    made = soxr.resample(waveform, sample_rate, wanted, quality="HQ").astype(np.float32)
    return made if n is None else np.pad(made, (0, max(n - len(made), 0)))[:n]


def resynthesized_artifacts(
    excerpt: SourceAudio,
    families: Sequence[str],
    mels: np.ndarray | None,
    given: Mapping[str, np.ndarray],
    versions: Sequence[str],
    seed: int,
) -> list[tuple[str, str, np.ndarray]]:
    """Residues of an excerpt and of its re-made copies, in each version: a function for workers.

    Parameters
    ----------
    excerpt : Excerpt
    families : sequence of str
        Of `vocoders.FAMILIES`.
    mels : np.ndarray, shape (n_clips, 128, 130), optional
        What the project's own decoder made of the codes, in dB: becomes family "own_decoder".
    given : mapping of family to np.ndarray, shape (n,)
        Copies that were made elsewhere, at the excerpt's rate.
    versions : sequence of str
        Of `VERSIONS`, or `ORIGINAL`.
    seed : int

    Returns
    -------
    residues : list of (family, version, residue)
        The excerpt itself as family `REAL`.
    """
    waveform, rate = excerpt.waveform, excerpt.sample_rate
    chance = [seed, zlib.crc32(waveform.tobytes())]
    made = {REAL: waveform, **given}
    for family in families:
        made[family] = FAMILIES[family](waveform, rate, np.random.default_rng(chance))
    if mels is not None:
        heard = np.concatenate([mel_waveform(mel) for mel in mels])
        made["own_decoder"] = at_rate(heard, SAMPLE_RATE, rate, len(waveform))
    return [
        (family, version, waveform_artifacts(*_sections(*_version(copy, rate, version))))
        for family, copy in made.items()
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
