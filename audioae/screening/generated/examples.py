"""Training examples: excerpts of the catalog, real and resynthesized by every available decoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audioae.audio.workers import imap_killable
from audioae.catalog.paths import displayed
from audioae.errors import AudioError
from audioae.library.generation import Generation
from audioae.model.torchscript_decoder import WaveformDecoder
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.generated.artifacts import EXTENT
from audioae.screening.generated.config import GeneratedConfig
from audioae.screening.generated.detector import Examples
from audioae.screening.generated.resynthesis import SourceAudio, at_rate, read_source, resynthesized_artifacts
from audioae.screening.generated.section_artifacts import FEATURE_NAMES
from audioae.screening.generated.vocoders import FAMILIES

_PATIENCE = 5  # resynthesizing a track takes much longer than decoding it


def resynthesize(
    library: Generation,
    sample: Sequence[tuple[str, str]],
    decoders: Mapping[str, WaveformDecoder],
    versions: Sequence[Sequence[str]],
    config: GeneratedConfig,
    workers: Workers,
    progress: Progress,
) -> tuple[Examples, tuple[str, ...]]:
    """Artifacts of real and resynthesized excerpts, and a sentence on what could not be resynthesized.

    Parameters
    ----------
    library : Generation
        Its model is one of the decoders.
    sample : sequence of (path, group)
        The tracks. An example refers to its track by the position in this sequence.
    decoders : mapping of family to WaveformDecoder
        The user's decoders.
    versions : sequence of sequence of str
        Names of `resynthesis.VERSIONS` or `ORIGINAL`. Each track gets one of the sequences, in turn.
    config : GeneratedConfig
        Of which excerpt_s and seed are used.
    workers : Workers
    progress : Progress
    """
    failed: list[str] = []
    excerpts: dict[int, SourceAudio] = {}
    files = ((track, (path, config.excerpt_s)) for track, (path, _) in enumerate(sample))
    results = imap_killable(read_source, files, workers=workers.n, timeout_s=workers.timeout_s)
    for track, (_, result) in enumerate(results):
        if isinstance(result, AudioError):
            failed.append(f"{displayed(sample[track][0])}: {result}")
        else:
            excerpts[track] = result
    items = (
        (track, _arguments(library, decoders, excerpt, tuple(versions[turn % len(versions)]), config.seed))
        for turn, (track, excerpt) in enumerate(excerpts.items())
    )
    rows: list[tuple[np.ndarray, int, str, str]] = []
    results = imap_killable(resynthesized_artifacts, items, workers=workers.n, timeout_s=_PATIENCE * workers.timeout_s)
    for done, (track, (_, result)) in enumerate(zip(excerpts, results, strict=True)):
        if isinstance(result, AudioError):
            failed.append(f"{displayed(sample[track][0])}: {result}")
        else:
            rows += [(artifacts[len(EXTENT) :], track, family, version) for family, version, artifacts in result]
        progress("resynthesizing tracks", done + 1, len(excerpts))
    rows = [row for row in rows if not np.isnan(row[0]).all()]
    examples = Examples(
        np.array([features for features, _, _, _ in rows], np.float32).reshape(-1, len(FEATURE_NAMES)),
        np.array([track for _, track, _, _ in rows], int),
        np.array([sample[track][1] for _, track, _, _ in rows], object),
        np.array([family for _, _, family, _ in rows], object),
        np.array([version for _, _, _, version in rows], object),
    )
    if not failed:
        return examples, ()
    return examples, (f"{len(failed)} of {len(sample)} tracks could not be resynthesized; the first: {failed[0]}",)


def _arguments(
    library: Generation,
    decoders: Mapping[str, WaveformDecoder],
    excerpt: SourceAudio,
    versions: tuple[str, ...],
    seed: int,
) -> tuple[Any, ...]:
    """Arguments of `resynthesized_artifacts`: copies by neural nets are made here, the others by workers."""
    waveform, rate = excerpt.waveform, excerpt.sample_rate
    copies = {}
    for family, decoder in decoders.items():
        decoder_rate = decoder.sample_rate or rate
        copy = decoder.resynthesize(at_rate(waveform, rate, decoder_rate))
        copies[family] = at_rate(copy, decoder_rate, rate, len(waveform))
    return excerpt, tuple(FAMILIES), library.embedder.reconstruct(excerpt.codes), copies, versions, seed
