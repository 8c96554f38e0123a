"""Training examples: excerpts of the catalog, real and resynthesized by every available decoder."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from audioae.audio.workers import imap_killable
from audioae.catalog.paths import displayed
from audioae.errors import AudioError
from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.generated.artifacts import EXTENT
from audioae.screening.generated.config import GeneratedConfig
from audioae.screening.generated.detector import Examples
from audioae.screening.generated.given_decoders import GivenDecoder
from audioae.screening.generated.resynthesis import SourceAudio, read_source, resynthesized_artifacts
from audioae.screening.generated.section_artifacts import FEATURE_NAMES
from audioae.screening.generated.vocoders import FAMILIES
from audioae.screening.steps import Steps

_PATIENCE = 5  # resynthesizing a track takes much longer than decoding it


def resynthesize(
    library: Generation,
    sample: Sequence[tuple[str, str]],
    decoders: Mapping[str, GivenDecoder],
    versions: Sequence[Sequence[str]],
    config: GeneratedConfig,
    workers: Workers,
    progress: Progress,
    steps: Steps | None = None,
) -> tuple[Examples, tuple[str, ...]]:
    """Artifacts of real and resynthesized excerpts, and a sentence on what could not be resynthesized.

    Parameters
    ----------
    library : Generation
        Its model is one of the decoders.
    sample : sequence of (path, group)
        The tracks. An example refers to its track by the position in this sequence.
    decoders : mapping of family to GivenDecoder
        The user's decoders.
    versions : sequence of sequence of str
        Names of `resynthesis.VERSIONS` or `ORIGINAL`. Each track gets one of the sequences, in turn.
    config : GeneratedConfig
        Of which excerpt_s, vocoders and seed are used.
    workers : Workers
    progress : Progress
    steps : Steps, optional
        A track is a step.
    """
    steps = steps or Steps()
    keys = [(path, *versions[track % len(versions)]) for track, (path, _) in enumerate(sample)]
    made = {track: finished for track, key in enumerate(keys) if (finished := steps.load(key))}
    excerpts, failed = _read_excerpts([path for path, _ in sample], made, config, workers)
    items = (
        (track, _arguments(library, decoders, excerpt, keys[track][1:], config)) for track, excerpt in excerpts.items()
    )
    results = imap_killable(resynthesized_artifacts, items, workers=workers.n, timeout_s=_PATIENCE * workers.timeout_s)
    for done, (track, (_, result)) in enumerate(zip(excerpts, results, strict=True)):
        if isinstance(result, AudioError):
            failed[track] = result
        else:
            families, names, artifacts = zip(*result, strict=True)
            features = np.array(artifacts, np.float32)[:, len(EXTENT) :]
            made[track] = {"features": features, "family": families, "version": names}
            steps.save(keys[track], made[track])
        progress("resynthesizing tracks", done + 1, len(excerpts))
    if not failed:
        return _examples(sample, made), ()
    track, error = min(failed.items())
    first = f"{displayed(sample[track][0])}: {error}"
    return _examples(sample, made), (
        f"{len(failed)} of {len(sample)} tracks could not be resynthesized; the first: {first}",
    )


def _read_excerpts(
    paths: Sequence[str], made: Container[int], config: GeneratedConfig, workers: Workers
) -> tuple[dict[int, SourceAudio], dict[int, AudioError]]:
    """The excerpt of each track, by position, or why it cannot be read; without those that are `made`."""
    files = ((track, (path, config.excerpt_s)) for track, path in enumerate(paths) if track not in made)
    excerpts: dict[int, SourceAudio] = {}
    failed: dict[int, AudioError] = {}
    for track, result in imap_killable(read_source, files, workers=workers.n, timeout_s=workers.timeout_s):
        (failed if isinstance(result, AudioError) else excerpts)[int(str(track))] = result
    return excerpts, failed


def _examples(sample: Sequence[tuple[str, str]], made: Mapping[int, Mapping[str, Any]]) -> Examples:
    """The examples of all tracks, in the order of the sample, without those that have nothing to measure."""
    rows = [
        (features, track, family, version)
        for track, of in sorted(made.items())
        for features, family, version in zip(of["features"], of["family"], of["version"], strict=True)
        if not np.isnan(features).all()
    ]
    return Examples(
        np.array([features for features, _, _, _ in rows], np.float32).reshape(-1, len(FEATURE_NAMES)),
        np.array([track for _, track, _, _ in rows], int),
        np.array([sample[track][1] for _, track, _, _ in rows], object),
        np.array([family for _, _, family, _ in rows], object),
        np.array([version for _, _, _, version in rows], object),
    )


def _arguments(
    library: Generation,
    decoders: Mapping[str, GivenDecoder],
    excerpt: SourceAudio,
    versions: tuple[str, ...],
    config: GeneratedConfig,
) -> tuple[Any, ...]:
    """Arguments of `resynthesized_artifacts`: copies by neural nets are made here, the others by workers."""
    copies = {family: decoder.rewrite(excerpt.waveform, excerpt.sample_rate) for family, decoder in decoders.items()}
    families = (*FAMILIES, *config.vocoders)
    return excerpt, families, library.embedder.reconstruct(excerpt.codes), copies, versions, config.seed
