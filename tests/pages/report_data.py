"""A report in which every text is hostile."""

from typing import Any

import numpy as np

from audioae.library.track_metadata import make_metadata
from audioae.pages.neighbors import nearest
from audioae.pages.report_page import ReportData
from audioae.pages.shell import PageTrack
from tests.pages.made import EVIL, unit

N = 16
VECTORS = unit(np.random.default_rng(0).standard_normal((N, 8)))
METADATA = make_metadata(
    [f"t{i}" for i in range(N)], labels=["a", "b"] * 8, artists=[EVIL if i < 4 else "Other" for i in range(N)]
)
MEL = np.linspace(-80, 0, 128)[:, None].repeat(130, axis=1)
TRACKS: dict[int | str, PageTrack] = {i: PageTrack(f"Title {i}", "Other", "a", MEL, b"sound", 12.0) for i in range(N)}
TRACKS |= {
    1: PageTrack(EVIL, EVIL, EVIL, MEL, b"sound"),
    "x1": PageTrack(EVIL, EVIL, "b", MEL, b"other sound", 61.5, EVIL),
}
SUMS = {
    "n_tracks": 20,
    "embedded": 16,
    "duplicates": 1,
    "rejected": {"not_audio": 2, EVIL: 1},
    "pending": 0,
    "padded": 3,
}
FINDING: dict[str, Any] = {
    "group": EVIL,
    "suggestion": EVIL,
    "confidence": 0.83,
    "evidence": {
        "why": EVIL,
        "answer": EVIL,
        "verdict": EVIL,
        "listen_s": 61.5,
        "rules": [{"rule": EVIL, "value": 1.27, "limit": EVIL, "unit": EVIL}],
        "margins": {EVIL: -0.42},
    },
    "n_members": 9,
    "members": [{"key": "x1", "score": 0.05}, {"key": 2, "score": 0.07}],
    "neighbors": [{"key": 3, "label": EVIL, "score": 0.91}],
    "copies": [],
}
CHECK: dict[str, Any] = {
    "check": "mislabeled",
    "title": "Mislabeled: " + EVIL,
    "accuracy": [EVIL],
    "n_tracks": 16,
    "n_issues": 9,
    "n_unknown": 2,
    "n_findings": 3,
    "threshold": 0.4,
    "measured": {"planted": {"random": {"precision": 0.9}, "confusable": {"precision": 0.7}}, EVIL: EVIL},
    "omitted": [EVIL],
    "findings": [FINDING],
}
WALK: dict[str, Any] = {
    "name": EVIL,
    "entries": [{"key": i, "step": None if i == 0 else 0.5} for i in range(4)],
    "smoothness": {"playlist": {"mean": 0.5, "largest": 0.6}},
    "gave_way": {"artist_window": EVIL},
    "embeddings": VECTORS[:4],
    "path": VECTORS[:4],
}
LISTENER = {
    "name": EVIL,
    "entries": [{"key": 1, "rank": 1, "score": 0.9, "taste": 2, "because": [2, "x1"]}],
}
GATE = {
    "factory": "Flat",
    "reason": EVIL,
    "machine": EVIL,
    "n": 16,
    "k": 10,
    "recall": 0.97,
    "n_queries": 4,
    "self_retrieval": 1.0,
    "p50_ms": 0.1,
    "p99_ms": 120.0,
    "bytes_per_vector": 512.0,
}
LOG = [
    {"step": 10 * i, "split": split, "loss": 5.0 / i, "mse": 1.0 / i, "perplexity": None, "learning_rate": 1e-3}
    for i in range(1, 4)
    for split in ("train", "held_out")
]
FULL = ReportData(
    store=EVIL,
    date="2026-11-21",
    versions={"tracks": "tracks@ab12", "index": "index@cd34"},
    accounting=SUMS,
    rejected=[{"name": EVIL, "uri": EVIL, "reason": "not_audio", "detail": EVIL}],
    metrics=LOG,
    error=0.656,
    reconstructions=(np.stack([MEL, MEL]), np.stack([MEL, MEL])),
    vectors=VECTORS,
    metadata=METADATA,
    hubs={"k": 10, "hubs": [{"track_id": "t1", "title": EVIL, "artist": EVIL, "label": "a", "k_occurrence": 12}]},
    neighbors=nearest(VECTORS, [0, 5]),
    checks=[CHECK],
    walks=[WALK],
    listeners=[LISTENER],
    gate=GATE,
    limits={"min_recall": 0.95, "max_p99_ms": 100.0},
    tracks=TRACKS,
    omitted=[EVIL],
)
