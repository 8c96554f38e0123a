"""What was made again, on the store of AUDIOAE_STORE (default: data) and, if given, that of AUDIOAE_RECORDINGS.

The check as it runs by default, besides what happens to a copy that it was not trained on: each of the sample's tracks
is judged in one more version, by a detector that has met neither its artist nor that version. Both stores get a dataset
`residues`.
"""

import os

import numpy as np
from sklearn.metrics import roc_auc_score

from audioae.apps.detector import N_FOLDS, Detector, Examples, folds_of
from audioae.apps.generated import judge_tracks
from audioae.audio.resynthesis import REAL
from audioae.stages.extraction import Workers
from audioae.stages.library import Library
from audioae.stages.remaking import make_examples
from audioae.stages.residues import measure_residues
from audioae.stages.screening.generated import VERSIONS, GeneratedConfig, choose_sample, eligible
from audioae.store.dataset import Store
from tests.bench.harness import Row

UNSEEN = ("mp3 128 kb/s", "aac 96 kb/s", "48 kHz and back")


def measure() -> list[Row]:
    stores = {"music": os.environ.get("AUDIOAE_STORE", "data"), "recordings": os.environ.get("AUDIOAE_RECORDINGS")}
    return [row for name, root in stores.items() if root for row in _measure(name, Library(Store(root)))]


def _measure(name: str, library: Library) -> list[Row]:
    config, workers = GeneratedConfig(), Workers(2, timeout_s=300)
    ids, uris, group = eligible(library)
    residues, _ = measure_residues(library, ids, config.max_sections, workers, _quiet)
    sample = [(uris[row], str(group[row])) for row in choose_sample(residues, group, config)]
    versions = [(*VERSIONS[turn % 3], UNSEEN[turn // 3 % 3]) for turn in range(9)]
    examples, _ = make_examples(library, sample, {}, versions, config, workers, _quiet)
    trained = examples[~np.isin(examples.version, UNSEEN)]
    judged = judge_tracks(trained, residues, group, config.false_positive_rate, config.seed)
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
    return rows


def _unseen(examples: Examples, config: GeneratedConfig) -> dict[str, float]:
    """AUROC of families known, by version that is not trained on; artists held out."""
    (fold,) = folds_of(examples.group, config.seed)
    seen, made = ~np.isin(examples.version, UNSEEN), examples.family != REAL
    evidence = np.empty(len(made))
    for f in range(N_FOLDS):
        evidence[fold == f] = Detector(examples[(fold != f) & seen], config.seed).judge(examples.evidence[fold == f])
    return {
        version: float(roc_auc_score(made[examples.version == version], evidence[examples.version == version]))
        for version in UNSEEN
    }


def _quiet(what: str, done: int, total: int) -> None:
    pass
