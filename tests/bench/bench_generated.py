"""Resynthesized audio, on the store of AUDIOAE_STORE (default: data) and, if given, that of AUDIOAE_RECORDINGS.

- The check with its default settings, by what it measures about itself: excerpts of the sample, artists held out.
- Versions that it was not trained on: each excerpt once more in such a version.
- Whole tracks (15 s of them) that are not in the sample, each resynthesized by one family and added to the catalog:
  which answers they get, and which answers the others get then.
- Recordings of music from elsewhere, scored by a detector trained on the store.

The stores get a dataset `residues`.
"""

import os
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from audioae.api import Library
from audioae.audio.perturbations import ORIGINAL
from audioae.audio.workers import imap_killable
from audioae.pipeline.config import Workers
from audioae.screening.generated.catalog_artifacts import measure_artifacts
from audioae.screening.generated.config import GeneratedConfig
from audioae.screening.generated.detector import N_FOLDS, Examples, VocoderDetector, folds_of
from audioae.screening.generated.examples import resynthesize
from audioae.screening.generated.resynthesis import REAL, read_source, resynthesized_artifacts
from audioae.screening.generated.scores import MIN_BANDWIDTH_HZ, score_tracks
from audioae.screening.generated.screen import VERSIONS, choose_sample, eligible
from audioae.screening.generated.vocoders import FAMILIES
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from tests import recordings
from tests.bench.harness import Row

N_WHOLE = 16
WHOLE_S = 15.0
MUSIC = recordings.FOLDER / "music"
UNSEEN = ("mp3 128 kb/s", "aac 96 kb/s", "48 kHz and back")


def measure() -> list[Row]:
    stores = {"music": os.environ.get("AUDIOAE_STORE", "data"), "recordings": os.environ.get("AUDIOAE_RECORDINGS")}
    return [row for name, root in stores.items() if root for row in _measure(name, Library(Store(root)))]


def _measure(name: str, library: Library) -> list[Row]:
    config, workers = GeneratedConfig(), Workers(2, timeout_s=300)
    ids, uris, group = eligible(library)
    artifacts, _ = measure_artifacts(library, ids, config.max_sections, workers, _quiet)
    sample = [(uris[row], str(group[row])) for row in choose_sample(artifacts, group, config)]
    versions = [(*VERSIONS[turn % 3], UNSEEN[turn // 3 % 3]) for turn in range(9)]
    examples, _ = resynthesize(library, sample, {}, versions, config, workers, _quiet)
    trained = examples[~np.isin(examples.version, UNSEEN)]
    scores = score_tracks(trained, artifacts, group, config.false_positive_rate, config.seed)
    measured = scores.measured
    counts = f"{trained.n_tracks} tracks resynthesized, {len(ids)} scored"
    rows = [
        Row(f"{name}: AUROC of known families", measured["known"], 0.95, "", counts),
        Row(f"{name}: share of real tracks called generated", measured["false_positive_rate"], 0.01, "", "", False),
        Row(f"{name}: share for which it cannot tell", measured["abstained"], None, ""),
    ]
    for family, of in measured["families"].items():
        note = f"left out {of['left_out']:.2f}; caught at 1 %: {of['caught']:.0%}, left out {of['caught_left_out']:.0%}"
        rows.append(Row(f"{name}:   {family}", of["known"], None, "", note))
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


def _others(artifacts: np.ndarray, uris: Sequence[str], sample: list[tuple[str, str]]) -> list[int]:
    sampled = {uri for uri, _ in sample}
    rows = [row for row in np.flatnonzero(artifacts[:, 1] > MIN_BANDWIDTH_HZ) if uris[int(row)] not in sampled]
    return [rows[i] for i in evenly_spaced(len(rows), N_WHOLE)]


def _whole_tracks(
    name: str, trained: Examples, catalog: tuple[np.ndarray, np.ndarray], chosen: list[tuple[str, int]]
) -> list[Row]:
    config, (artifacts, group) = GeneratedConfig(), catalog
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
