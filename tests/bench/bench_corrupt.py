"""Corrupt tracks: which faults are found, trained on or left out, and how many clean tracks are called corrupt.

    AUDIOAE_STORE=data [AUDIOAE_STORE_2=...] python -m tests.bench corrupt

Each store is screened as by stage `screen`, with a larger sample. Figures compare held-out versions with all clean
tracks and intact versions, rules and classifier together. If there is a planted.json beside the catalog (as in the
demo), its clipped tracks should be found. Scale: rules, a classifier and scores of `ROWS` synthetic tracks.
"""

import json
import os
import time
from pathlib import Path

import numpy as np

from audioae.api import Library
from audioae.audio.health import HEALTH_COLUMNS
from audioae.pipeline.config import Workers
from audioae.screening.corrupt.classifier import CLEAN, FEATURES, FaultClassifier
from audioae.screening.corrupt.config import CorruptConfig
from audioae.screening.corrupt.faults import FAULTS
from audioae.screening.corrupt.rules import derive, rule_excess, rule_limits
from audioae.screening.corrupt.screen import screen_corrupt
from audioae.screening.result import Screened
from audioae.store.dataset import Store
from tests.bench.harness import Row

CONFIG = CorruptConfig(n_sample=96)
ROWS = 100_000


def measure() -> list[Row]:
    rows = []
    for variable in ("AUDIOAE_STORE", "AUDIOAE_STORE_2"):
        if variable in os.environ or variable == "AUDIOAE_STORE":
            root = os.environ.get(variable, "data")
            rows += measure_store(Library(Store(root)), Path(root).name)
    return [*rows, measure_scale()]


def measure_store(library: Library, name: str) -> list[Row]:
    start = time.perf_counter()
    screened = screen_corrupt(library, CONFIG, Workers(n=2, timeout_s=120), lambda what, done, total: None)
    measured = screened.measured
    note = f"{CONFIG.n_sample} tracks, {measured['n_versions']} versions, {time.perf_counter() - start:.0f} s"
    rows = [
        Row(f"{name}: mean AUROC of faults trained on", measured["seen"], 0.97, "", note),
        Row(f"{name}: mean AUROC of faults left out", measured["left_out"], 0.88, ""),
        Row(f"{name}: clean tracks called corrupt", measured["false_positive_rate"], 0.01, "", higher_is_better=False),
        Row(
            f"{name}: tracks that break a rule",
            measured["broken"],
            0.05,
            "",
            f"{screened.is_issue.sum()} of {len(screened.score)} are issues",
            higher_is_better=False,
        ),
    ]
    rows += [
        Row(f"  {kind}", values["seen"], 0.97, "", f"left out {values['left_out']:.2f}: {FAULTS[kind].what}")
        for kind, values in measured["types"].items()
    ]
    return rows + measure_planted(library, screened)


def measure_planted(library: Library, screened: Screened) -> list[Row]:
    """The demo's clipped tracks, and which other tracks are called corrupt."""
    uris = dict(zip(library.tracks["track_id"].to_pylist(), library.tracks["uri"].to_pylist(), strict=True))
    folder = Path(os.path.commonpath(list(uris.values())))
    if not (folder / "planted.json").is_file():
        return []
    planted = json.loads((folder / "planted.json").read_text(encoding="utf-8"))["planted"]
    clipped = {str(folder / row["path"]) for row in planted if row["kind"] == "clipped"}
    ids = screened.track_ids.to_pylist()
    issues = {uris[ids[row]]: row for row in np.flatnonzero(screened.is_issue).tolist()}
    others = [f"{Path(uri).name}: {screened.evidence[row]['why']}" for uri, row in issues.items() if uri not in clipped]
    return [
        Row("  planted clipped tracks found", len(clipped & set(issues)), len(clipped), "", f"of {len(clipped)}"),
        Row("  other tracks called corrupt", len(others), 2, "", "; ".join(others), higher_is_better=False),
    ]


def measure_scale() -> Row:
    rng = np.random.default_rng(0)
    evidence = {name: rng.gamma(2, 1, ROWS) for name, kind in HEALTH_COLUMNS.items() if kind is not str}
    evidence |= {"reconstruction_error": rng.gamma(2, 1, ROWS), "spread": rng.gamma(2, 1, ROWS)}
    start = time.perf_counter()
    columns = derive(evidence, np.zeros(ROWS, bool))
    rule_excess(columns, rule_limits(columns, [str(i % 20) for i in range(ROWS)], 99.5))
    rules_s = time.perf_counter() - start
    features = np.stack([columns[name] for name in FEATURES], axis=1)
    kinds = np.where(np.arange(4000) % 2, CLEAN, np.array(list(FAULTS))[1 + np.arange(4000) % (len(FAULTS) - 1)])
    classifier = FaultClassifier(features[:4000], kinds)
    training_s = time.perf_counter() - start - rules_s
    classifier.fault_score(features)
    seconds = time.perf_counter() - start
    note = f"rules {rules_s:.1f} s, training on 4,000 rows {training_s:.1f} s, the rest scores"
    return Row(f"{ROWS:,} tracks scored, without decoding", seconds, 60, "s", note, higher_is_better=False)
