"""Findings and recommendations published into a store, as a check and the recommender would."""

import json
from typing import Any

import pyarrow as pa

from audioae.api import Library
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import FINDINGS, RECOMMENDATIONS, SCREENINGS
from tests.pages.made import EVIL

MEASURED = {"planted": {"random": {"precision": 0.91}, "confusable": {"precision": 0.72}}}


def publish(store: Store, dataset: str, rows: list[dict], schema: pa.Schema, *parents: DatasetRef) -> DatasetRef:
    name = f"000000-{len(rows):016d}"
    store.write_part(dataset, name, pa.Table.from_pylist(rows, schema=schema))
    return store.commit(dataset, [name], recipe=f"{dataset}{len(rows)}", config={}, parents=parents)


def publish_findings(store: Store, embeddings: DatasetRef) -> list[str]:
    """Findings of three checks; returns the track_ids of the catalog."""
    ids = Library(store).tracks["track_id"].to_pylist()
    near = [{"track_id": ids[9], "label": EVIL, "score": 0.9}]
    rows = [
        _finding(ids[0], "mislabeled", 0.3, True, suggestion=EVIL, confidence=0.8, evidence={"neighbors": near}),
        _finding(ids[1], "mislabeled", 0.2, True, group="album: One", suggestion="a", evidence={"why": EVIL}),
        _finding(ids[2], "mislabeled", 0.1, True, group="album: One", suggestion="b", evidence={"why": "the worst"}),
        _finding(ids[3], "mislabeled", 0.9),
        _finding(ids[4], "mislabeled", None),
        _finding(ids[5], "corrupt", 0.1, True, evidence={"listen_s": 2.5, "rules": [{"rule": "dc", "value": 1.0}]}),
        _finding("no such track", "corrupt", 0.2, True, evidence={"listen_s": "soon", "rules": 3, "neighbors": [1]}),
        _finding(ids[6], "duplicate", 0.0, True, suggestion=ids[7], evidence={"copies": [ids[6]], "keep": ids[7]}),
        _finding(ids[8], "duplicate", 0.5, True, evidence={"listen_s": [[1.5, 2.0], 4.0]}),
    ]
    measured = {"check": "mislabeled", "threshold": 0.5, "measured": json.dumps(MEASURED), "omitted": [EVIL]}
    others = [{"check": check, "threshold": 0.5, "measured": "{}", "omitted": []} for check in ("corrupt", "duplicate")]
    screenings = publish(store, "screenings", [measured, *others], SCREENINGS, embeddings)
    index, tracks = store.require("index"), store.require("tracks")
    publish(store, "findings", rows, FINDINGS, index, embeddings, tracks, screenings)
    return ids


def publish_recommendations(store: Store, embeddings: DatasetRef, ids: list[str]) -> None:
    """Seven new tracks for each of nine listeners."""
    common = {"score": 0.5, "fit": 0.5, "others": None, "taste": 1, "because": [ids[1]]}
    rows = [
        {"listener_id": f"listener {i}", "rank": rank, "track_id": ids[rank], **common}
        for i in range(9)
        for rank in range(1, 8)
    ]
    publish(store, "recommendations", rows, RECOMMENDATIONS, embeddings)


def _finding(track_id: str, check: str, score: float | None, issue: bool = False, **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(FINDINGS.names) | {"track_id": track_id, "check": check, "score": score, "is_issue": issue}
    evidence = more.pop("evidence", None)
    return row | more | {"evidence": json.dumps(evidence) if evidence else None}
