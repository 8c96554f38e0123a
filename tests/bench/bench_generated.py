"""Resynthesized audio, on the store of AUDIOAE_STORE (default: data) and, if given, that of AUDIOAE_RECORDINGS.

AUDIOAE_GENERATED is a JSON object of other settings of the check, for a smaller sample.

- The check with its default settings, by what it measures about itself: excerpts of the sample, artists held out.
- Versions that it was not trained on: each excerpt once more in such a version.
- Whole tracks (15 s of them) that are not in the sample, each resynthesized by one family and added to the catalog:
  which answers they get, and which answers the others get then.
- Recordings of music from elsewhere, scored by a detector trained on the store.
- With pyworld, the vocoder WORLD: copies by it, and a detector that was not trained on them.

The stores get a dataset `residues`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from audioae.api import Library
from audioae.audio.perturbations import ORIGINAL
from audioae.audio.workers import imap_killable
from audioae.config import fingerprint
from audioae.pipeline.config import Workers
from audioae.screening.generated.catalog_artifacts import measure_artifacts
from audioae.screening.generated.check import CHECK
from audioae.screening.generated.config import GeneratedConfig, WorldVocoder
from audioae.screening.generated.detector import N_FOLDS, Examples, VocoderDetector, folds_of
from audioae.screening.generated.examples import resynthesize
from audioae.screening.generated.operating_points import RATES, operating_points
from audioae.screening.generated.resynthesis import REAL, read_source, resynthesized_artifacts
from audioae.screening.generated.scores import MIN_BANDWIDTH_HZ, GeneratedScores, score_tracks
from audioae.screening.generated.screen import VERSIONS, choose_sample, eligible
from audioae.screening.generated.vocoders import FAMILIES
from audioae.screening.steps import Steps
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from tests import recordings
from tests.bench.harness import Row, installed

N_WHOLE = 16
WHOLE_S = 15.0
MUSIC = recordings.FOLDER / "music"
WORLD = "world"
UNSEEN = ("mp3 128 kb/s", "aac 96 kb/s", "48 kHz and back")


def measure() -> list[Row]:
    stores = {"music": os.environ.get("AUDIOAE_STORE", "data"), "recordings": os.environ.get("AUDIOAE_RECORDINGS")}
    return [row for name, root in stores.items() if root for row in _measure(name, Library(Store(root)))]


def _measure(name: str, library: Library) -> list[Row]:
    config, workers = settings(), Workers(int(os.environ.get("AUDIOAE_WORKERS", "2")), timeout_s=600)
    ids, uris, group = eligible(library)
    artifacts, _ = measure_artifacts(library, ids, config.max_sections, workers, _quiet)
    sample = [(uris[row], str(group[row])) for row in choose_sample(artifacts, group, config)]
    versions = [(*VERSIONS[turn % 3], UNSEEN[turn // 3 % 3]) for turn in range(9)]
    steps = Steps(library.store, f"bench-generated-{CHECK.code}-{fingerprint(config.model_dump())}")
    examples, _ = resynthesize(library, sample, {}, versions, config, workers, _quiet, steps)
    seen = ~np.isin(examples.version, UNSEEN)
    by_world = examples.family == WORLD
    world, examples, seen = examples[seen & by_world], examples[~by_world], seen[~by_world]
    trained = examples[seen]
    scores = score_tracks(trained, artifacts, group, config.false_positive_rate, config.seed)
    measured = scores.measured
    counts = f"{trained.n_tracks} tracks resynthesized, {len(ids)} scored"
    rows = [
        Row(f"{name}: AUROC of known families", measured["known"], 0.95, "", counts),
        *_points(f"{name}: copies by known families caught", measured["tpr"], measured["n_real"]),
        Row(f"{name}: share of real tracks called generated", measured["false_positive_rate"], 0.01, "", "", False),
        Row(f"{name}: share for which it cannot tell", measured["abstained"], None, ""),
    ]
    for family, of in measured["families"].items():
        caught, left_out = (_point(of[key][f"{RATES[0]:g}"]) for key in ("tpr", "tpr_left_out"))
        note = f"left out {of['left_out']:.2f}; caught at 1 %: {caught}; left out: {left_out}"
        rows.append(Row(f"{name}:   {family}", of["known"], None, "", note))
    if len(world.track):
        rows += _world(name, trained, world, scores, artifacts, config)
    for version, value in (measured["versions"] | _unseen(examples, config)).items():
        note = "not trained on" if version in UNSEEN else ""
        rows.append(Row(f"{name}:   after {version}", float(value or np.nan), None, "", note))
    others = [(uris[row], row) for row in _others(artifacts, uris, sample)]
    rows += _whole_tracks(name, trained, (artifacts, group), others)
    if name == "music" and MUSIC.is_dir():
        files = [(str(path), path.name) for path in sorted(MUSIC.iterdir())]
        elsewhere, _ = resynthesize(library, files, {}, [VERSIONS[0]], config, workers, _quiet)
        log_odds = VocoderDetector(trained, config.seed).log_odds(elsewhere.features)
        auroc = float(roc_auc_score(elsewhere.family != REAL, log_odds))
        rows.append(Row("music from elsewhere: AUROC", auroc, None, "", f"{len(files)} files, trained on the store"))
    return rows


def settings() -> GeneratedConfig:
    """The default settings and those of AUDIOAE_GENERATED, with WORLD if pyworld is installed."""
    others = json.loads(os.environ.get("AUDIOAE_GENERATED", "{}"))
    decoders = (WorldVocoder(kind="world"),) if installed("pyworld") else ()
    return GeneratedConfig.model_validate({"decoders": decoders, **others})


def _point(point: Mapping[str, float] | None) -> str:
    if not point:
        return "too few tracks to tell"
    return f"{point['tpr']:.0%} ({100 * point['low']:.0f} to {point['high']:.0%})"


def _points(name: str, points: Mapping[str, Any], n_real: int) -> list[Row]:
    """A row per false-positive rate; NaN where there are too few tracks to tell."""
    rows = []
    for rate in RATES:
        point = points[f"{rate:g}"]
        note = f"{_point(point)}; {n_real} real tracks"
        rows.append(Row(f"{name} at {100 * rate:g} %", point["tpr"] if point else np.nan, None, "", note))
    return rows


def _world(
    name: str,
    trained: Examples,
    world: Examples,
    scores: GeneratedScores,
    artifacts: np.ndarray,
    config: GeneratedConfig,
) -> list[Row]:
    """Copies by WORLD, scored by the detectors of the check, which were not trained on it; artists held out."""
    fold, world_fold = folds_of(trained.group, config.seed, world.group)
    real = trained.family == REAL
    log_odds, of_real = np.empty(len(world.track)), np.empty(int(real.sum()))
    for f, detector in enumerate(scores.detectors):
        log_odds[world_fold == f] = detector.log_odds(world.features[world_fold == f])
        of_real[fold[real] == f] = detector.log_odds(trained.features[real][fold[real] == f])
    labels = np.arange(len(log_odds) + len(of_real)) < len(log_odds)
    auroc = float(roc_auc_score(labels, np.concatenate([log_odds, of_real])))
    usable = (artifacts[:, 1] >= MIN_BANDWIDTH_HZ) & ~np.isnan(scores.log_odds)
    points = operating_points(log_odds, world.track, scores.log_odds[usable])
    note = f"not trained on; caught at 1 %: {_point(points[f'{RATES[0]:g}'])}"
    return [Row(f"{name}:   {WORLD} (pyworld)", auroc, None, "", note)]


def _others(artifacts: np.ndarray, uris: Sequence[str], sample: list[tuple[str, str]]) -> list[int]:
    sampled = {uri for uri, _ in sample}
    rows = [row for row in np.flatnonzero(artifacts[:, 1] > MIN_BANDWIDTH_HZ) if uris[int(row)] not in sampled]
    return [rows[i] for i in evenly_spaced(len(rows), N_WHOLE)]


def _whole_tracks(
    name: str, trained: Examples, catalog: tuple[np.ndarray, np.ndarray], chosen: list[tuple[str, int]]
) -> list[Row]:
    config, (artifacts, group) = settings(), catalog
    families = list(FAMILIES)
    items = (
        (row, (read_source(uri, WHOLE_S), (families[i % len(families)],), None, {}, (ORIGINAL,), config.seed))
        for i, (uri, row) in enumerate(chosen)
    )
    copies = np.stack(
        [rows[1][2] for _, rows in imap_killable(resynthesized_artifacts, items, workers=2, timeout_s=300)]
    )
    both = np.concatenate([artifacts, copies]), np.concatenate([group, group[[row for _, row in chosen]]])
    score = score_tracks(trained, *both, config.false_positive_rate, config.seed).score
    generated, real = score[len(artifacts) :], score[: len(artifacts)]
    note = f"called real {(generated > 0.5).mean():.0%}, cannot tell {np.isnan(generated).mean():.0%}; "
    note += f"{len(generated)} of {len(score)}"
    return [
        Row(f"{name}: resynthesized whole tracks called generated", float((generated < 0.5).mean()), None, "", note),
        Row(f"{name}:   real tracks called generated next to them", float((real < 0.5).mean()), 0.01, "", "", False),
    ]


def _unseen(examples: Examples, config: GeneratedConfig) -> dict[str, float]:
    """AUROC of known families, by version that is not trained on; artists held out."""
    (fold,) = folds_of(examples.group, config.seed)
    seen, is_copy = ~np.isin(examples.version, UNSEEN), examples.family != REAL
    log_odds = np.empty(len(is_copy))
    for f in range(N_FOLDS):
        detector = VocoderDetector(examples[(fold != f) & seen], config.seed)
        log_odds[fold == f] = detector.log_odds(examples.features[fold == f])
    return {
        version: float(roc_auc_score(is_copy[examples.version == version], log_odds[examples.version == version]))
        for version in UNSEEN
    }


def _quiet(what: str, done: int, total: int) -> None:
    pass
