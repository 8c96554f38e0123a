"""Findings of 100,000 tracks, read and sorted; and whether the original is kept and not its copy.

Lossless tracks, evenly spaced over the store of AUDIOAE_STORE (default: data), are re-encoded and resampled, and each
copy competes with its original, in both orders. A lossless copy at another rate is left out: nothing can tell the two
apart.
"""

import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from audioae.api import Library
from audioae.audio.perturbations import PERTURBATIONS, read_whole, write_version
from audioae.screening.duplicate.best_copy import LOSSLESS, choose_copy
from audioae.screening.findings import Findings
from audioae.screening.registry import NAMES
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from audioae.store.schemas import FINDINGS, SCREENINGS
from tests.bench.harness import Row
from tests.screening.made import make_store

N = 100_000
TRACKS = 8
ENCODED = ("mp3 128 kb/s", "mp3 64 kb/s", "aac 96 kb/s", "ogg vorbis", "16 kHz")


def measure() -> list[Row]:
    return [*measure_reading(), *measure_keepers(Library(Store(os.environ.get("AUDIOAE_STORE", "data"))))]


def measure_reading() -> list[Row]:
    """All checks, a tenth of the tracks issues, a third of the tracks in groups of five; read three times."""
    with tempfile.TemporaryDirectory() as root:
        store = make_store(root, N)
        parents = [store.require(name) for name in ("index", "embeddings", "tracks")]
        rng = np.random.default_rng(0)
        for check in NAMES:
            store.write_part("findings", check, _rows(check, rng))
            row = {"check": check, "threshold": 0.1, "measured": "{}", "omitted": []}
            store.write_part("screenings", check, pa.Table.from_pylist([row], schema=SCREENINGS))
        screenings = store.commit("screenings", NAMES, recipe="made", config={}, parents=parents)
        ref = store.commit("findings", NAMES, recipe="made", config={}, parents=[*parents, screenings])
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            Findings(store, ref).worst("mislabeled", 200)
            listed = time.perf_counter() - start
            start = time.perf_counter()
            Findings(store, ref).overview()
            seconds.append((listed, time.perf_counter() - start))
    (worst, overview) = np.median(seconds, axis=0)
    note = f"{N:,} tracks, {len(NAMES)} checks"
    return [
        Row("the 200 worst findings of a check", float(worst), 2.0, " s", note, higher_is_better=False),
        Row("overview of all checks", float(overview), 2.0, " s", note, higher_is_better=False),
    ]


def measure_keepers(library: Library) -> list[Row]:
    """Share of pairs in which the original is kept, and how much encoding raises a cutoff."""
    ref = library.store.manifest(library.embeddings_ref).parent("health")
    rows = [row for row in library.store.read(ref).to_pylist() if row["codec"].startswith(LOSSLESS)]
    uris = {row["track_id"]: row["uri"] for row in library.tracks.to_pylist()}
    kept: list[bool] = []
    raised: list[float] = []
    for i in evenly_spaced(len(rows), TRACKS):
        original, source = rows[i], uris[rows[i]["track_id"]]
        planes, rate = read_whole(source)
        for perturbation in PERTURBATIONS:
            if perturbation.name in ENCODED:
                with tempfile.TemporaryDirectory() as folder:
                    copy = library.extract_file(write_version(planes, rate, perturbation, Path(folder))).health
                kept += [choose_copy([original, copy]).keep == 0, choose_copy([copy, original]).keep == 1]
                raised.append(copy["cutoff_hz"] - original["cutoff_hz"])
    note = f"{TRACKS} lossless tracks, {', '.join(ENCODED)}"
    return [
        Row("the original is kept, not its copy", float(np.mean(kept)), 0.98, "", note),
        Row("cutoff of a copy above its original's", max(raised), 2000.0, " Hz", "maximum", higher_is_better=False),
    ]


def _rows(check: str, rng: np.random.Generator) -> pa.Table:
    score = rng.uniform(0, 1, N).astype(np.float32)
    issue = score < 0.1
    grouped = rng.uniform(size=N) < 1 / 3
    why = json.dumps({"why": "the sentence that a person reads", "listen_s": 12.5, "rules": []})
    columns = {
        "track_id": [f"t{i}" for i in range(N)],
        "check": [check] * N,
        "score": score,
        "is_issue": issue,
        "group": [f"album: {i // 5}" if in_group else None for i, in_group in enumerate(grouped)],
        "suggestion": ["Jazz" if i else None for i in issue],
        "confidence": score,
        "evidence": [why if i else None for i in issue],
    }
    return pa.table(columns, schema=FINDINGS)
