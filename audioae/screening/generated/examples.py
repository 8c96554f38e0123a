"""Examples to learn from: excerpts of the catalog, real and made again by every decoder at hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from audioae.audio.workers import imap_killable
from audioae.config import Config
from audioae.errors import AudioError
from audioae.library.generation import Generation
from audioae.model.torchscript_decoder import WaveformDecoder
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.generated.artifacts import ABOUT, ARTIFACT_NAMES
from audioae.screening.generated.detector import Examples
from audioae.screening.generated.resynthesis import SourceAudio, at_rate, read_source, resynthesized_artifacts
from audioae.screening.generated.vocoders import FAMILIES

_PATIENCE = 5  # making a track again is much more work than decoding it


class ResynthesisConfig(Config):
    """How long an excerpt is, and the seed of all that is drawn."""

    excerpt_s: float = Field(default=6.0, ge=3.0, le=60.0)
    seed: int = 0


def resynthesize(
    library: Generation,
    sample: Sequence[tuple[str, str]],
    decoders: Mapping[str, WaveformDecoder],
    versions: Sequence[Sequence[str]],
    config: ResynthesisConfig,
    workers: Workers,
    report: Progress,
) -> tuple[Examples, tuple[str, ...]]:
    """Residues of excerpts, and a sentence on what could not be made again.

    Parameters
    ----------
    library : Generation
        Its model is one of the decoders.
    sample : sequence of (uri, group)
        The tracks; an example's track is its place here.
    decoders : mapping of family to WaveformDecoder
        Those that the user gives.
    versions : sequence of sequence of str
        Names of `screening.generated.resynthesis.VERSIONS` or `ORIGINAL`; the tracks take them in turn.
    config : RemakeConfig
    workers : Workers
    report : Report
    """
    failed: list[str] = []
    excerpts: dict[int, SourceAudio] = {}
    read = ((place, (uri, config.excerpt_s)) for place, (uri, _) in enumerate(sample))
    results = imap_killable(read_source, read, workers=workers.n, timeout_s=workers.timeout_s)
    for place, (_, result) in enumerate(results):
        if isinstance(result, AudioError):
            failed.append(f"{sample[place][0]}: {result}")
        else:
            excerpts[place] = result
    items = (
        (place, _arguments(library, decoders, excerpt, tuple(versions[turn % len(versions)]), config.seed))
        for turn, (place, excerpt) in enumerate(excerpts.items())
    )
    table: list[tuple[np.ndarray, int, str, str]] = []
    results = imap_killable(resynthesized_artifacts, items, workers=workers.n, timeout_s=_PATIENCE * workers.timeout_s)
    for place, (_, result) in zip(excerpts, results, strict=True):
        if isinstance(result, AudioError):
            failed.append(f"{sample[place][0]}: {result}")
        else:
            table += [(residue[len(ABOUT) :], place, family, version) for family, version, residue in result]
        report("tracks made again", len({track for _, track, _, _ in table}), len(excerpts))
    table = [example for example in table if not np.isnan(example[0]).all()]
    track = np.array([place for _, place, _, _ in table], int)
    examples = Examples(
        np.array([evidence for evidence, _, _, _ in table], np.float32).reshape(-1, len(ARTIFACT_NAMES) - len(ABOUT)),
        track,
        np.array([sample[place][1] for place in track], object),
        np.array([family for _, _, family, _ in table], object),
        np.array([version for _, _, _, version in table], object),
    )
    if not failed:
        return examples, ()
    return examples, (f"{len(failed)} of {len(sample)} tracks could not be made again; the first: {failed[0]}",)


def _arguments(
    library: Generation,
    decoders: Mapping[str, WaveformDecoder],
    excerpt: SourceAudio,
    versions: tuple[str, ...],
    seed: int,
) -> tuple[Any, ...]:
    """Of `resynthesized_artifacts`: what needs a net is made here, the rest by workers."""
    waveform, rate = excerpt.waveform, excerpt.sample_rate
    given = {}
    for family, decoder in decoders.items():
        wanted = decoder.sample_rate or rate
        made = decoder.remake(at_rate(waveform, rate, wanted))
        given[family] = at_rate(made, wanted, rate, len(waveform))
    return excerpt, tuple(FAMILIES), library.embedder.reconstruct(excerpt.codes), given, versions, seed
