"""What was made again, on the store of AUDIOAE_STORE (default: data) and, if given, that of AUDIOAE_RECORDINGS.

- The check as it runs by default, by what it measures about itself: excerpts of the sample, artists held out.
- What happens to a copy that it was not trained on: each excerpt once more in such a version.
- Whole tracks (15 s of them) that are not in the sample, made again by one family each and put into the catalog beside
  the others: which answers they get, and which the others get then.
- Recordings of music from elsewhere, judged by what was learned on the store.

The stores get a dataset `residues`.
"""

import os

import numpy as np
from sklearn.metrics import roc_auc_score

from audioae.api import Library
from audioae.audio.perturbations import ORIGINAL
from audioae.audio.workers import imap_killable
from audioae.pipeline.config import Workers
from audioae.screening.generated.catalog_artifacts import measure_artifacts
from audioae.screening.generated.detector import N_FOLDS, Examples, VocoderDetector, folds_of
from audioae.screening.generated.examples import resynthesize
from audioae.screening.generated.resynthesis import REAL, read_source, resynthesized_artifacts
from audioae.screening.generated.scores import MIN_BANDWIDTH_HZ, score_tracks
from audioae.screening.generated.screen import VERSIONS, GeneratedConfig, choose_sample, eligible
from audioae.screening.generated.vocoders import FAMILIES
from audioae.store.dataset import Store
from tests import recordings
from tests.bench.harness import Row

PLANTED = 16
PLANTED_S = 15.0
MUSIC = recordings.FOLDER / "music"
UNSEEN = ("mp3 128 kb/s", "aac 96 kb/s", "48 kHz and back")


def measure() -> list[Row]:
    stores = {"music": os.environ.get("AUDIOAE_STORE", "data"), "recordings": os.environ.get("AUDIOAE_RECORDINGS")}
    return [row for name, root in stores.items() if root for row in _measure(name, Library(Store(root)))]


def _measure(name: str, library: Library) -> list[Row]:
    config, workers = GeneratedConfig(), Workers(2, timeout_s=300)
    ids, uris, group = eligible(library)
    residues, _ = measure_artifacts(library, ids, config.max_sections, workers, _quiet)
    sample = [(uris[row], str(group[row])) for row in choose_sample(residues, group, config)]
    versions = [(*VERSIONS[turn % 3], UNSEEN[turn // 3 % 3]) for turn in range(9)]
    examples, _ = resynthesize(library, sample, {}, versions, config, workers, _quiet)
    trained = examples[~np.isin(examples.version, UNSEEN)]
    judged = score_tracks(trained, residues, group, config.false_positive_rate, config.seed)
    found = judged.measured
    counts = f"{trained.n_tracks} tracks made again, {len(ids)} judged"
    rows = [
        Row(f"{name}: AUROC of families known", found["known"], 0.95, "", counts),
        Row(f"{name}: share of real tracks called generated", found["false_positive_rate"], 0.01, "", "", False),
        Row(f"{name}: share that it cannot tell", found["abstained"], 1.0, "", "stated, no bar", False),
    ]
    for family, of in found["families"].items():
        note = f"left out {of['left_out']:.2f}; caught at 1 %: {of['caught']:.0%}, left out {of['caught_left_out']:.0%}"
        rows.append(Row(f"{name}:   {family}", of["known"], 0.0, "", note))
    for version, value in (found["versions"] | _unseen(examples, config)).items():
        note = "not trained on" if version in UNSEEN else ""
        rows.append(Row(f"{name}:   after {version}", float(value or np.nan), 0.0, "", note))
    rows += _planted(name, trained, (residues, group), [(uris[row], row) for row in _others(residues, uris, sample)])
    if name == "music" and MUSIC.is_dir():
        files = [(str(path), path.name) for path in sorted(MUSIC.iterdir())]
        elsewhere, _ = resynthesize(library, files, {}, [VERSIONS[0]], config, workers, _quiet)
        evidence = VocoderDetector(trained, config.seed).judge(elsewhere.evidence)
        auroc = float(roc_auc_score(elsewhere.family != REAL, evidence))
        rows.append(Row("music from elsewhere: AUROC", auroc, 0.0, "", f"{len(files)} files, learned on the store"))
    return rows


def _others(residues: np.ndarray, uris: list[str], sample: list[tuple[str, str]]) -> list[int]:
    sampled = {uri for uri, _ in sample}
    rows = [row for row in np.flatnonzero(residues[:, 1] > MIN_BANDWIDTH_HZ) if uris[row] not in sampled]
    return [rows[i] for i in np.linspace(0, len(rows) - 1, PLANTED).round().astype(int)]


def _planted(
    name: str, trained: Examples, catalog: tuple[np.ndarray, np.ndarray], chosen: list[tuple[str, int]]
) -> list[Row]:
    config, (residues, group) = GeneratedConfig(), catalog
    families = list(FAMILIES)
    items = (
        (row, (read_source(uri, PLANTED_S), (families[i % len(families)],), None, {}, (ORIGINAL,), config.seed))
        for i, (uri, row) in enumerate(chosen)
    )
    made = np.stack(
        [found[1][2] for _, found in imap_killable(resynthesized_artifacts, items, workers=2, timeout_s=300)]
    )
    both = np.concatenate([residues, made]), np.concatenate([group, group[[row for _, row in chosen]]])
    score = score_tracks(trained, *both, config.false_positive_rate, config.seed).score
    new, old = score[len(residues) :], score[: len(residues)]
    note = f"called real {(new > 0.5).mean():.0%}, cannot tell {np.isnan(new).mean():.0%}; {len(new)} of {len(score)}"
    return [
        Row(f"{name}: whole tracks made again, called generated", float((new < 0.5).mean()), 0.0, "", note),
        Row(f"{name}:   real tracks called generated beside them", float((old < 0.5).mean()), 0.01, "", "", False),
    ]


def _unseen(examples: Examples, config: GeneratedConfig) -> dict[str, float]:
    """AUROC of families known, by version that is not trained on; artists held out."""
    (fold,) = folds_of(examples.group, config.seed)
    seen, made = ~np.isin(examples.version, UNSEEN), examples.family != REAL
    evidence = np.empty(len(made))
    for f in range(N_FOLDS):
        evidence[fold == f] = VocoderDetector(examples[(fold != f) & seen], config.seed).judge(
            examples.evidence[fold == f]
        )
    return {
        version: float(roc_auc_score(made[examples.version == version], evidence[examples.version == version]))
        for version in UNSEEN
    }


def _quiet(what: str, done: int, total: int) -> None:
    pass
